"""Every workflow, in the order in which they run."""

from e2e.setting import Workflow
from e2e.workflows import acappella, batch, cover, own_voice, sing, speak, speech, voice

WORKFLOWS: tuple[Workflow, ...] = (
    Workflow("song to cover", cover.__doc__ or "", cover.run),
    Workflow("a cappella", acappella.__doc__ or "", acappella.run),
    Workflow("speech to speech", speech.__doc__ or "", speech.run),
    Workflow("batch of songs", batch.__doc__ or "", batch.run),
    Workflow("batch with a broken song", batch.run_broken.__doc__ or "", batch.run_broken),
    Workflow("voice made from 10 s", voice.__doc__ or "", voice.from_10_s),
    Workflow("voice made from 30 s", voice.__doc__ or "", voice.from_30_s),
    Workflow("voice made from 60 s", voice.__doc__ or "", voice.from_60_s),
    Workflow("copy synthesis", own_voice.__doc__ or "", own_voice.run),
    Workflow("text to speech", speak.run.__doc__ or "", speak.run),
    Workflow("text to speech, cloned voice", speak.run_cloned.__doc__ or "", speak.run_cloned),
    Workflow("sing from notes", sing.run.__doc__ or "", sing.run),
)
