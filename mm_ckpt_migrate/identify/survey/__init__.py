"""`inspect`: what is in a file, for any checkpoint, even one of another project."""

from mm_ckpt_migrate.identify.survey.look import survey
from mm_ckpt_migrate.identify.survey.survey import Survey

__all__ = ["Survey", "survey"]
