"""The words of the field that the pages use."""

from __future__ import annotations

from dagster_project.pages.words import N_

TERMS = {
    N_("follow-up scheme for municipalities"): N_(
        "Udir's offer of three years of support to municipalities with weak results in school."
    ),
    N_("round"): N_("One selection of municipalities, from the figures of three school years."),
    N_("risk points"): N_(
        "Each figure gives no point when it is not worse than the nation, one when it is, and three when it is worse "
        "than the absolute limit."
    ),
    N_("share of possible risk points"): N_(
        "The municipality's risk points in percent of those it could have had on the figures that are visible."
    ),
    N_("national limit"): N_("The nation's own figure of the same year and grade."),
    N_("absolute limit"): N_("A lower limit for quality that is the same in all years. Udir has not published it."),
    N_("average-based selection"): N_("The municipalities with the highest shares."),
    N_("spread-based selection"): N_(
        "Municipalities with large differences between their schools. County governors prioritise among them."
    ),
    N_("spread between schools"): N_("The standard deviation of the shares of the municipality's rated schools."),
    N_("among the weakest schools"): N_("The quarter of the country's rated schools with the highest shares."),
    N_("candidate"): N_("A municipality that the county governor may prioritise."),
    N_("proposed"): N_("On the list by the rule and the priorities; nobody has decided yet."),
    N_("selected"): N_("Udir has decided that the municipality gets follow-up."),
    N_("reserve"): N_("Next in order when a municipality declines."),
    N_("coverage"): N_("How much of what counts is visible: possible points of visible figures over those of all."),
    N_("not rated"): N_("Too few visible figures, or not a municipality."),
    N_("hidden"): N_("Not shown, because few pupils stand behind the figure or it would tell such a figure."),
    N_("rank may be"): N_(
        "The ranks that 95 of 100 repeats of the round would give, with the same pupils on another day."
    ),
    N_("recalculation"): N_(
        "The whole rule once more, with every figure varied as much as its number of pupils lets it."
    ),
    N_("county governor"): N_("The state's office in the county. It prioritises candidates and guides the follow-up."),
    N_("Udir"): N_("The Norwegian Directorate for Education and Training. It decides."),
    N_("mastery level 1"): N_("The lowest level of the national tests."),
    N_("grade points"): N_(
        "Grunnskolepoeng: the mean of the final grades of grade 10, times ten. It counts three times."
    ),
    N_("preparatory phase"): N_("The first year: the municipality finds out with guides what to work on."),
    N_("implementation phase"): N_("The second and third year: the municipality carries out its measures."),
    N_("cohort"): N_("The municipalities that one round selected, while they are followed up."),
}
"""A term -> what it means."""
