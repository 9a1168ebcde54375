"""Files as the authors of published models give them, with random weights: of no use but for running the code."""

import torch

from engine.adaptation.mdnet import MdNet
from engine.backbones.hmr import Hmr
from engine.evaluation.named_weights import fill
from engine.semantics.clip_text import ClipText
from engine.semantics.motionclip import MotionClip


def write_hmr(folder):
    network = Hmr()
    fill(network)
    torch.save({"model": network.state_dict()}, folder / "hmr_basemodel.pt")
    return folder / "hmr_basemodel.pt"


def write_mdnet(folder):
    torch.manual_seed(0)
    torch.save({"model": MdNet().state_dict()}, folder / "md_basemodel.pt")
    return folder / "md_basemodel.pt"


def write_motionclip_and_clip(folder):
    """MotionCLIP, and CLIP with a table of merges that makes no words."""
    torch.save(drawn(MotionClip).state_dict(), folder / "checkpoint_0100.pth.tar")
    torch.save(drawn(ClipText).half().state_dict(), folder / "ViT-B-32.pt")
    lines = ["#version: 0.2", *(f"x{rank} y{rank}" for rank in range(48894)), ""]
    (folder / "merges.txt").write_text("\n".join(lines))
    return folder / "checkpoint_0100.pth.tar"


def drawn(make):
    """A network with weights that do not cancel out."""
    torch.manual_seed(0)
    network = make()
    for parameter in network.parameters():
        if parameter.dim() > 1 and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    return network
