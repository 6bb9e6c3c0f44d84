"""Model cards that keep SageMaker's rules: a version's content never changes, and content and status are not updated in one call."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.sagemaker.responses import SageMakerResponse

from localcloud.core.errors import error, invalid
from localcloud.sagemaker import state_changes
from localcloud.sagemaker.records import answer

LONGEST = 100_000  # characters of a card's content
_create = SageMakerResponse.create_model_card


def install() -> None:
    """Answer the calls that write model cards; moto answers those that read."""
    answer((create_model_card, update_model_card))


def create_model_card(self: Any) -> ActionResult:
    _fits(self._get_param("Content"))
    result = _create(self)
    state_changes.card(self.sagemaker_backend.model_cards[self._get_param("ModelCardName")][-1])
    return result


def update_model_card(self: Any) -> ActionResult:
    """New content makes a new version, which has the status of the one before; a new status is the newest version's."""
    name, content, status = (self._get_param(p) for p in ("ModelCardName", "Content", "ModelCardStatus"))
    if content and status:
        raise invalid("You cannot update both model card content and model card status in a single call.")
    if name not in self.sagemaker_backend.model_cards:
        raise error("ResourceNotFound", f"Modelcard {name} does not exist.")
    newest = self.sagemaker_backend.model_cards[name][-1]
    if content:
        _fits(content)
        arn = self.sagemaker_backend.update_model_card(name, content, newest.model_card_status)
        state_changes.card(self.sagemaker_backend.model_cards[name][-1])
        return ActionResult({"ModelCardArn": arn})
    newest.model_card_status, newest.last_modified_time = status, utcnow()
    state_changes.card(newest)
    return ActionResult({"ModelCardArn": newest.arn})


def _fits(content: str) -> None:
    if len(content) > LONGEST:
        raise invalid(f"1 validation error detected: Value at 'content' has {len(content)} characters, more than {LONGEST}")
