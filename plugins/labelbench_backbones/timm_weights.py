"""Published weights of timm models: from a file the user placed, or fetched by timm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
from torch import nn

from labelbench import InputError, MachineError, current_settings

Channels = tuple[float, ...]


@dataclass(frozen=True)
class PublishedWeights:
    """Weights that the authors of timm publish for a model.

    Attributes:
        name: of model and weights (``resnet18.a1_in1k``).
        hub: repository on the Hugging Face Hub, empty if they lie elsewhere.
        file: where they are looked for before anything is fetched, as safetensors.
        normalisation: mean and std of each channel of the pixels in [0, 1] that they were trained on.
    """

    name: str
    hub: str
    file: Path
    normalisation: tuple[Channels, Channels]

    @staticmethod
    def of(name: str) -> PublishedWeights:
        """The weights that a model name, with or without a tag, stands for; ``timm.is_model_pretrained`` knows it.

        Raises:
            InputError: they are not there and may not be fetched.
        """
        settings = current_settings()
        config = timm.get_pretrained_cfg(name)
        assert config is not None  # the caller has asked timm.is_model_pretrained
        full_name = f"{name.partition('.')[0]}.{config.tag}" if config.tag else name
        file = settings.cache_dir / "timm" / f"{full_name}.safetensors"
        weights = PublishedWeights(full_name, config.hf_hub_id or "", file, (tuple(config.mean), tuple(config.std)))
        if settings.offline and not file.is_file():
            raise InputError(f"weights of {full_name!r} may not be fetched offline; {weights._advice}")
        return weights

    def load(self, create: Callable[..., nn.Module], drawn: nn.Module) -> nn.Module:
        """The model with these weights, read from :attr:`file` or else fetched by timm.

        Args:
            create: calls ``timm.create_model`` for the model with further arguments.
            drawn: the same model with the weights that ``create`` draws.

        Raises:
            InputError: the file holds something else.
            MachineError: they could not be fetched.
        """
        placed = self.file.is_file()
        options = {"pretrained_cfg_overlay": {"file": str(self.file), "custom_load": False}} if placed else {}
        try:
            model = create(pretrained=True, **options)
        except Exception as error:  # network, hub, disk and file fail in many ways
            why = " ".join(str(error.__cause__ or error).split())[:160]
            if placed:
                raise InputError(f"{self.file} does not hold {self.name!r} ({why}); {self._advice}") from error
            raise MachineError(
                f"weights of {self.name!r} could not be fetched ({why}); check the network, or {self._advice}"
            ) from error
        # timm leaves weights that a file does not hold as they were drawn, and says nothing.
        for (name, loaded), random in zip(model.named_parameters(), drawn.parameters(), strict=True):
            constant = bool((random == random.flatten()[0]).all())
            if not constant and torch.equal(loaded, random):
                raise InputError(f"weights of {self.name!r} hold no {name!r}; {self._advice}")
        return model

    @property
    def _advice(self) -> str:
        what = f"model.safetensors of {self.hub} on the Hugging Face Hub" if self.hub else "them as safetensors"
        return f"place {what} at {self.file}, or leave out pretrained"
