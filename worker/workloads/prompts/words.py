"""Words of which made prompts consist: common, short, and one token each in common vocabularies."""

from __future__ import annotations

from worker.workloads.prompts.draws import digest

_LISTED = """
time year people way day man thing woman life child world school state family student group country problem hand part
place case week company system program question work government number night point home water room mother area money
story fact month lot right study book eye job word business issue side kind head house service friend father power hour
game line end member law car city community name president team minute idea kid body information back parent face others
level office door health person art war history party result change morning reason research girl guy moment air teacher
force education foot boy age policy music market sense nation plan college interest death experience effect use class
control care field development role effort rate heart drug show leader light voice wife police mind price report decision
son view relationship town road arm difference value building action season society tax director position player record
paper space ground form event official matter center couple site project activity star table need court oil situation
cost industry figure street image phone data picture practice piece land product doctor wall worker news test movie north
love support technology step baby computer type attention film tree source hair window culture chance brother energy
period course summer plant opportunity term letter condition choice rule daughter south husband floor campaign material
population call economy hospital church risk fire future river dream dinner scene stock career bank club garden page box bed
card horse camera glass bird fish island lake kitchen metal dance unit wind song
"""
WORDS = tuple(_LISTED.split())
"""256 of them: a random byte is a word."""
assert len(WORDS) == len(set(WORDS)) == 256


def words(count: int, *key: object) -> list[str]:
    """Return ``count`` words that the key alone decides."""
    return [WORDS[byte] for byte in digest(count, *key)]
