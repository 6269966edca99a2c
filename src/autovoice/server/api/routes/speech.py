"""Speech: not there yet, and said so in a way that programs understand."""

from __future__ import annotations

from typing import Annotated, NoReturn

from fastapi import APIRouter, Depends

from autovoice.server.api.auth import allowed
from autovoice.server.api.errors import ApiError
from autovoice.server.keys import Caller

router = APIRouter(tags=["speech"])
Speak = Annotated[Caller, Depends(allowed("speak"))]


@router.post("/api/v1/synthesize", status_code=501, response_model=None)
async def synthesize(_caller: Speak) -> NoReturn:
    """Speak a text in a voice: not available in this version."""
    _refuse()


@router.post("/v1/audio/speech", status_code=501, response_model=None)
async def openai_speech(_caller: Speak) -> NoReturn:
    """Speak as OpenAI's API does: not available in this version."""
    _refuse()


def _refuse() -> NoReturn:
    raise ApiError(
        501, "speech_not_available", "this version sings but does not speak; update AutoVoice later"
    )
