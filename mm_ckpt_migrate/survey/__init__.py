"""`inspect`: what is in a file, for any checkpoint, even one of another project."""

from mm_ckpt_migrate.survey.look import survey
from mm_ckpt_migrate.survey.model import Survey

__all__ = ["Survey", "survey"]
