"""What each row of the bench is, where it comes from and what it costs: `bench --list`."""

from __future__ import annotations

from typing import Any

from engine.evaluation.methods import DATA_SET, TABLES, Row

_PAPER = "Lin et al. 2025"
_ABOUT: dict[str, tuple[str, str]] = {
    "detector": ("MediaPipe", "nothing beside detection"),
    "fit": ("SMPLify's idea, own terms", "an optimisation of the whole clip"),
    "backbone": ("the network, see its card", "one pass over the clip"),
    "boa": ("Guan et al., CVPR 2021", "4 passes and 2 gradients of the network a frame, one after the other"),
    "dynaboa": ("Guan et al., TPAMI 2022", "as BOA, 2 gradients of an exemplar, and up to 7 more updates a frame"),
    "dapa": ("Weng et al., 3DV 2022", "6 epochs of gradients on real and drawn segments"),
    "cycle": ("Nam et al., ICCV 2023", "6 epochs of gradients, and of the denoiser"),
    "discriminator": ("Kocabas et al., CVPR 2020; Table 4", "as the whole method, and gradients of the discriminator"),
    "unpaired": (f"{_PAPER}, Table 4", "as the whole method"),
    "paper": (_PAPER, "6 epochs of gradients, of the denoiser and of the motion-text space"),
    "weighted": ("own", "as CycleAdapt's recipe"),
    "aligned": (f"{_PAPER}, Table 3", "as the paper's method"),
    "ema": (f"{_PAPER}, Table 3", "as the paper's method"),
    "filled": (f"{_PAPER}, Table 3", "as the paper's method"),
    "infilled": ("own", "6 epochs, and draws of the in-filler"),
    "full": (
        f"{_PAPER}; in-filler and solve are own",
        "6 epochs, draws of the in-filler, two optimisations of the clip",
    ),
    "wrong_label": (f"{_PAPER}, Table 7", "as the whole method"),
    "no_label": (f"{_PAPER}, Table 7", "as the whole method, without the motion-text space"),
    "found_label": (f"{_PAPER}, Table 7", "as the whole method, and retrieval"),
    "one_pin": ("own", "as the whole method, and seconds for each window of pins"),
    "three_pins": ("own", "as the whole method, and seconds for each window of pins"),
    "dragged": ("own", "as the whole method, and seconds for each window of pins"),
}
_FAMILIES = {
    "fill_in": (f"{_PAPER}, Table 6 and Figure 4", "as the whole method"),
    "ema": (f"{_PAPER}, Table 8", "as the whole method"),
    "preset": ("the presets as they ship", "as far as the preset goes"),
}


def about(row: Row) -> tuple[str, str]:
    """Source and cost of a row."""
    return _ABOUT.get(row.key) or _FAMILIES[row.key.rsplit("_", 1)[0]]


def listed() -> list[dict[str, Any]]:
    """Every row with its tables, source and cost, in the order of the tables."""
    found: dict[str, dict[str, Any]] = {}
    for table, rows in {**TABLES, "--dataset": DATA_SET}.items():
        for row in rows:
            source, cost = about(row)
            fresh = {"row": row.key, "title": row.title, "tables": [], "source": source, "cost": cost}
            found.setdefault(row.key, fresh)["tables"].append(table)
    return list(found.values())
