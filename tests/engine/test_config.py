"""Settings, presets and overrides."""

from fractions import Fraction

import pytest
import tomllib
from pydantic import BaseModel, ValidationError

from engine import config
from engine.config import PRESETS, Settings, load_settings, preset_names
from engine.errors import UsageError


def sections():
    return {name: field.annotation for name, field in Settings.model_fields.items()}


def test_every_preset_is_valid_and_says_only_what_differs():
    assert preset_names() == ["balanced", "fast", "paper"]
    defaults = Settings()
    for name in preset_names():
        text = (PRESETS / f"{name}.toml").read_text(encoding="utf-8")
        assert text.startswith("#")
        loaded = load_settings(name)
        for section, values in tomllib.loads(text).items():
            for key in values:
                ours, usual = (getattr(getattr(one, section), key) for one in (loaded, defaults))
                assert ours != usual or name == "paper", f"{name}: {section}.{key} is the default"
    assert load_settings("balanced") == defaults
    assert load_settings("fast").detection.model == "full"


def test_the_preset_paper_has_the_published_numbers():
    published = {
        "epochs": 6, "batch": 4, "learning_rate": 5e-5, "lowest_learning_rate": 1e-6, "fill_in_similarity": 0.75,
        "ema": 0.9, "projection": 0.1, "smoothing": 1.0, "shape": 0.001, "label_use": "alignment", "fill_in": True,
    }  # fmt: skip
    settings = load_settings("paper").adaptation.model_dump()
    assert {name: settings[name] for name in published} == published


def test_rates_that_rise_are_refused():
    with pytest.raises(UsageError, match="lowest learning rate is above"):
        load_settings(overrides=["adaptation.lowest_learning_rate=0.001"])


def test_every_setting_is_described_and_every_number_has_limits():
    for section, model in sections().items():
        assert issubclass(model, BaseModel)
        assert model.model_config["frozen"], section
        assert model.model_config["extra"] == "forbid", section
        for name, field in model.model_fields.items():
            assert field.description, f"{section}.{name}"
            assert field.description.endswith("."), f"{section}.{name}"
            if field.annotation in (int, float, Fraction):
                limits = {type(item).__name__ for item in field.metadata}
                assert limits & {"Ge", "Gt"}, f"{section}.{name} has no lower limit"
                assert limits & {"Le", "Lt"}, f"{section}.{name} has no upper limit"


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError):
        Settings().detection.model = "full"


def test_overrides_win_over_the_preset_and_the_last_one_wins():
    assert load_settings("fast", ["detection.model=heavy"]).detection.model == "heavy"
    assert load_settings("fast", ["detection.max_people=2", "detection.max_people = 3"]).detection.max_people == 3
    assert load_settings("balanced", ['detection.model="full"']).detection.model == "full"
    assert load_settings("balanced", ["tracking.repair_swaps=false"]).tracking.repair_swaps is False


@pytest.mark.parametrize(
    ("text", "rate"), [("30000/1001", Fraction(30000, 1001)), ("25", 25), ("12.5", Fraction(25, 2))]
)
def test_image_rates_are_exact(text, rate):
    assert load_settings("balanced", [f"footage.image_rate={text}"]).footage.image_rate == rate


@pytest.mark.parametrize(
    ("override", "sentence", "hint"),
    [
        ("detection.max_peple=3", "There is no setting 'detection.max_peple'", "Did you mean detection.max_people?"),
        ("tracing.repair_swaps=true", "There is no setting 'tracing'", "Did you mean tracking?"),
        ("detection.max_people=0", "The setting detection.max_people is 0", ""),
        ("detection.max_people=many", "The setting detection.max_people is 'many'", ""),
        ("detection.model=3", "The setting detection.model is 3", "heavy"),
        ("footage.image_rate=fast", "The setting footage.image_rate is 'fast'", ""),
        ("detection", "'detection' is no setting", "section.name=value"),
        ("=3", "'=3' is no setting", "section.name=value"),
        ("detection.=3", "is no setting", ""),
    ],
)
def test_wrong_overrides_are_reported(override, sentence, hint):
    with pytest.raises(UsageError) as caught:
        load_settings("balanced", [override])
    assert sentence in caught.value.message
    assert hint in caught.value.message + caught.value.hint


def test_unknown_presets_are_reported_with_the_known_ones():
    with pytest.raises(UsageError, match="no preset 'slow'") as caught:
        load_settings("slow")
    assert "balanced, fast" in caught.value.hint
    with pytest.raises(UsageError, match="no preset"):
        load_settings("../adaptation/fast")


def test_a_damaged_preset_file_is_reported(tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text("[detection\n")
    (tmp_path / "odd.toml").write_text("[detection]\ncolour = 1\n")
    monkeypatch.setattr(config, "PRESETS", tmp_path)
    with pytest.raises(UsageError, match=r"mine\.toml cannot be read"):
        load_settings("mine")
    with pytest.raises(UsageError, match=r"detection\.colour"):
        load_settings("odd")
