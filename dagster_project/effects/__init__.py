"""Estimate the effect of follow-up, so that regression to the mean is not mistaken for an effect.

Tables in, typed frozen results out; neither Dagster nor dbt is known here. docs/effects.md says what each method
assumes and what it does not show.
"""

from dagster_project.effects.estimate import estimate_effects
from dagster_project.effects.parameters import EffectParameters, load_effect_parameters
from dagster_project.effects.results import CohortEffects, EffectEstimate

__all__ = [
    "CohortEffects",
    "EffectEstimate",
    "EffectParameters",
    "estimate_effects",
    "load_effect_parameters",
]
