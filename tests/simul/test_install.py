"""The command that adds an extra fits how the toolkit was installed."""

import pytest

from simul import install


def test_a_checkout_is_named_by_its_folder_and_an_installed_wheel_by_its_name(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert install.install_hint("whisper") == 'pip install -e ".[whisper]"'
    monkeypatch.setattr(install, "__file__", str(tmp_path / "site-packages" / "simul" / "install.py"))
    assert install.install_hint("whisper") == 'pip install "simul[whisper]"'
