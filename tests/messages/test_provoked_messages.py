"""Every error message of fastnn, provoked: its text names the parameter, the rule and what was given."""

import functools

import provoke_cli
import provoke_dask
import provoke_data
import provoke_engine
import provoke_estimators
import provoke_export
import provoke_fit_many
import provoke_layers
import provoke_modular
import provoke_persistence
import provoke_plot
import provoke_sequences
import provoke_streams
import provoke_training
import pytest
from messages import faults_of, provoke
from raises import SOURCE, errors_of, find_raises, place_of

TABLES = (
    provoke_estimators,
    provoke_dask,
    provoke_export,
    provoke_fit_many,
    provoke_layers,
    provoke_modular,
    provoke_data,
    provoke_sequences,
    provoke_streams,
    provoke_training,
    provoke_persistence,
    provoke_plot,
    provoke_engine,
    provoke_cli,
)
PROVOCATIONS = {
    f"{table.__name__.removeprefix('provoke_')}: {name}": provocation
    for table in TABLES
    for name, provocation in table.PROVOCATIONS.items()
}
# What cannot be provoked here, and why: the file, a part of the message, and the reason.
EXEMPT = {(file, part): reason for table in TABLES for file, part, reason in getattr(table, "EXEMPT", ())}


@functools.cache
def provoked(name):
    """Of each error of a call: its place in fastnn or None, its text, and the faults of that.

    The first one reached the caller, and came from the others. The errors themselves would keep all that the call had.
    """
    return [
        (place_of(error), f"{type(error).__name__}: {error}", faults_of(error))
        for error in errors_of(provoke(PROVOCATIONS[name]))
    ]


@functools.cache
def sites_by_line():
    """The statements that raise errors, by their lines; without the source there are none."""
    return {(site.file, line): site for site in find_raises() for line in site.lines()}


@pytest.mark.parametrize("name", PROVOCATIONS)
def test_a_message_states_the_rule(name):
    of_fastnn = [(place, text, faults) for place, text, faults in provoked(name) if place]
    assert of_fastnn, f"fastnn raised nothing: {provoked(name)}"
    # Errors of Python's own, which fastnn replaces, come from its lines, too; the first one reaches the user.
    for _, text, faults in [error for error in of_fastnn if error[0] in sites_by_line()] or of_fastnn[:1]:
        assert not faults, text


@pytest.mark.skipif(not SOURCE.is_dir(), reason="the source is not here: a wheel is tested")
def test_every_message_is_provoked():
    places = {place for name in PROVOCATIONS for place, _, _ in provoked(name)} - {None}
    assert any(file.endswith(".pyx") for file, _ in places), "tracebacks have no lines of Cython's files"
    sites = set(sites_by_line().values())
    hit = {sites_by_line()[place] for place in places & sites_by_line().keys()}
    exempt = {}
    for (file, part), reason in EXEMPT.items():
        found = [site for site in sites if site.file == file and part in site.code]
        assert len(found) == 1, f"{file} has {len(found)} statements with {part!r}, exempt since {reason}"
        exempt[found[0]] = reason
    assert not hit & exempt.keys(), "what is provoked need not be exempt"
    missed = sorted(sites - hit - exempt.keys())
    assert not missed, "\n".join(["not provoked:", *map(str, missed)])
