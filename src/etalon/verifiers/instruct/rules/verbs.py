"""Whether a text begins with a verb, where the tagger of the public checker is not installed.

That tagger learned from newspapers, in which few sentences are commands: `Write a` begins with a verb for it, `Write,`
and `Embark on` with a noun or a name. What it does with a word hangs on the word after it, so each verb here has a need
and each next word a pull, from 0 to 5 (ours, measured on the tagger):

    "Prove the ..."      need of prove 2, pull of the 4: a verb
    "Prove it ourselves" likewise; but "Prove theorems" is none, for other words pull with 0
    "Solving", "Ruled"   verbs by their endings, some nouns and names apart

Verbs that hardly any next word suffices (embark, explore, find) are not listed. Published scores depend on that: of
32,259 beginnings of sentences and lines that had no part in the lists, 99.6% are decided as by the tagger.
"""

from __future__ import annotations

from collections.abc import Sequence


def _ranked(*groups: str) -> dict[str, int]:
    return {word: rank for rank, words in enumerate(groups) for word in words.split()}


# by the pull of the next word: 0 is any other word or mark
PULLS = _ranked(
    "",
    """
    again all at back beyond both every four from him in into just many nothing now several sure these three through
    two under whether why with you
    """,
    """
    along an any around by can deep down everything more most my no on that there to today when where without
    """,
    """
    about how if off some this up us yourself
    """,
    """
    away his it me n't our out the their together
    """,
    """
    a them what your
    """,
)
NUMBER_PULL = 1

# verbs by their need: 0 is a verb before anything
NEEDS_PULL = _ranked(
    """
    bled call consider fled give given is known let lost made put says see shed sold take taken
    """,
    """
    apologize approve authorize baptize be begin built capitalize catch categorize characterize check computerize
    conform criticize crystallize customize develop do does driven empathize emphasize energize equalize expect fallen
    generalize get go grow have keep laid leave left lend linearize look lose love offset optimize organize oxidize
    pacify paid parameterize partake participate pave perform personalize personify play please prefer pretend
    prioritize privatize proceed propel provide purify qualify quantify raise rationalize realize recognize recommend
    rectify remove reset resize revolutionize specialize stabilize standardize stolen strategize subsidize summarize
    switch symbolize synchronize synthesize tend terrify testify theorize think thought throw told try utilize
    verbalize verify visualize
    """,
    """
    abolish accomplish adds apply are arise assume attract banish brandish certify cherish clarify classify comprehend
    contend continue diminish distinguish eliminate exemplify extend gamify garnish glorify grade had hold humanize
    hypothesize idealize improve individualize initialize justify languish listen maximize minimize neutralize
    normalize open persuade pervade plead plow polish preserve produce promote propose prove publish punish read
    recover relinquish relish reopen replenish resolve revolve ripen sanctify save seems seize send shake simplify
    slow soar solidify specify spend sworn tell threaten transcend transpose undertake unify vanish vanquish wake want
    wave weave welcome wonder
    """,
    """
    adopt advise affect agree amend amplify append ascend ascertain assist atone attain attend awake bake become
    befriend behave bend benefit blame blend blink boost borrow brave break budget build buy choose chose clutch
    collect come complain compose comprise concentrate confer connote consist constrain contain cope correct crave
    creep cruise dampen deal decompose deepen defend deflect deform degrade deliver delve demystify depend descend
    deserve detect devise diagnose disclose dismiss dispatch dissolve diversify drink drove embellish enclose
    encourage engage envelop establish etch evade evaluate evolve exceed exempt exist explain expose extinguish
    familiarize finalize forget gain gallop gamble generate guzzle happen identify impose intensify join kiss knead
    lead leak learn led legislate levitate liberate lift lighten link locate make memorialize memorize mobilize
    monetize need notify object offend operate own pardon parse patch pay peek peel peer penetrate perfect perpetuate
    pitch plunder poise pollinate ponder populate pose postulate pour praise precede predetermine prepare promise
    prompt proofread propagate prosecute protect pull punctuate pursue puzzle quicken quote radiate rain rationalise
    react reactivate reallocate reap reapply rebuild recall receive recline recombine recompute reconsider recreate
    redeem redefine redirect reduce reel reevaluate refer refine reflect refrain reframe refute regain regulate
    rehearse reimagine reintroduce reiterate reject rejuvenate rekindle relate relay relieve relocate remain rename
    render renovate reorder repay repel replicate reply reproduce repurpose require resonate restate resume resurrect
    retain rethink retrieve return reveal reverse revise ride rise roar rose rotate run scratch seek serve settle
    shade sharpen shave shove shrink sketch snatch solve stand stay stitch stop streamline succeed suffer superimpose
    suppose suspect suspend sustain tabulate tap teach tempt terminate thread tighten tolerate transfer transform
    translate transport tread trim truncate turn update use visit vote walk watch weed wink yearn
    """,
    """
    accelerate acclimate accumulate achieve activate advertise advocate aggregate allocate animate annotate anticipate
    appeal appraise appreciate articulate ask assimilate associate assure attack attempt automate believe bisect
    bought broke bruise calculate calibrate came captivate care carve celebrate challenge change chant charge cheer
    circulate clean cleanse cloud coexist coin collaborate collate combine comes commemorate communicate compare
    compel compensate compete complicate comply compute conceal concede conceive concern condense conduct cone confine
    confirm congratulate connect conserve consolidate constitute construct consume contact contains contemplate
    contour contract contribute control converge converse convey cook cooperate coordinate copy counteract couple
    cover crack create crunch cultivate curate cure curse cut damage date deactivate debate decline decorate decree
    dedicate deduce defer define delay delegate deliberate delineate demonstrate denote deprive derive desire despise
    determine detour deviate devote dictate differ differentiate dilute dine direct disagree disconnect discourage
    discriminate disguise display dispute dissect distract distribute dive diverge dominate donate doubt downplay
    drain draw dread drift drill drive dump duplicate earn ease educate effect elaborate elect elevate elongate
    elucidate emancipate embed embroider emerge empower emulate enable enact encapsulate endorse engineer enhance
    enjoy enlarge enlighten enlist entertain entitle enumerate enunciate equate erect escalate escape estimate
    evacuate evaporate exaggerate examine excavate execute expand exponentiate extract extrapolate feel felt fend
    fetch finish flourish forsake furnish gasp gauge germinate gets gild gives goes gone govern grab graduate grant
    grate greet grieve groan guess handle has hatch heal heed held help hinder hire hit hoist holds hope improvise
    include includes increase induce infer inflate inform inject insist inspect intend intersect interweave
    investigate involve juxtapose keeps kneel lack launch lean leap lecture leverage lie limit line list live loosen
    lure magnify maintain manage massage match mean mend merge mistake mobilise modify move neglect negotiate note
    nourish obliterate offer oppose orchestrate originate overestimate pack package page paint paraphrase part patrol
    perceive perch permit persist phone phrase pick pierce pin pinch pinpoint plant pledge plug plummet plunge point
    poke portray posit possess post postpone pounce power pray preach prescribe present prevail prevent print proclaim
    program progress prohibit project prop prophesy protest provoke pry pulse pump punch purchase purge push quit
    range rate ravage reach reaffirm rearrange reassess reassure rebrand recapture recharge recite reconstruct recruit
    recycle rediscover redraw refill reform refresh regret reinforce relax relearn release relive remember renew
    renounce rent repeat repent rephrase represent requires resemble resettle reshape resign resist respect respond
    restrict restructure result retire retreat reunite revamp revert review revisit revive rewrite rhyme ridicule rig
    rinse ripple roam rob route rub ruin rule rush rustle sabotage said salute salvage sample saturate saute say scold
    seal secure seduce seem select sell sent separate shift shine ship shook show sift simulate sink situate skate
    slay sleep snack sneak sneeze solder solo speak spearhead specialise spoke spread spur squeeze stack stain
    standardise staple start starve steal steep steer step stimulate stipulate stood storm strain stretch style
    submerge substitute subtract summarise supersede supervise supply support surge surprise surrender survive sweep
    synthesise tackle talk tame target televise tender test thank thicken tickle tint tire top tour track train
    trample transcribe transmit trap traverse treat triple trouble tumble twinkle twist vacate vaccinate vacuum
    validate veer venture vibrate violate volunteer voyage wage wish work yank yell yield
    """,
    """
    abandon absorb acquire add admire admit affirm alert allow am ambush announce answer appear appoint approximate
    argue arrange arrive assemble assert assign attach attribute avert avoid await awaken balance balk bar bargain
    bask battle behold belittle bewilder bleed blindfold book bounce brainstorm breed bubble buckle bump bundle burn
    calm cancel cap caress carry cast cause cease chart chase chew chill chop chronicle circle cite clap clasp clip
    clothe coach coat coincide collide command commit complete compress conclude concoct condemn confess confide
    confuse convert corrupt counsel craft crash crawl crop crown crumble crush cry cube cue cup curb curl cycle dazzle
    decide declare deem defeat deny depart describe destroy deter die disable disappear discover discuss disrupt
    distill distort divert divide doodle double eat elicit emit employ empty encode encrypt enforce enroll entail
    entrust equip erase erupt escort evoke excel excite exclude exert exhaust explode express fabricate fade fall
    fasten feed flatten focus follow forge form fortify gather gaze glance glare glaze gleam glide glimpse glow gossip
    grasp graze grin grind groom growl grumble guide hack hate haul hear hesitate hide hint hollow illuminate
    illustrate imagine imitate immerse impact impede imply inaugurate incline incorporate incubate inhibit initiate
    innovate inquire inspire install insulate integrate interact intertwine introduce inundate invade inverse
    invigorate irrigate isolate iterate jump kill kindle know label land landscape laud lay lick load lock log loop
    mandate meet mine multiply mute narrate navigate negate nominate notate obscure observe obtain order outline
    outlive outweigh overcome overlook oversee overthrow overturn pair pan parallel pass pat pause photograph pluck
    poll pop preside prick probe quench quiet quiz race rank readjust reassemble recast recount redesign redo refuse
    regard regroup reign remind remodel repair replace report reside rest restore retrace reuse revel risen roast rode
    roll root rumble saddle satisfy savour scan scoop scramble scribble sculpt seen set sew sheathe shimmer shrug
    shuffle sigh simmer singe sip sit ski skim skip slide slip slit slurp smear snap sniff soak sob soothe sound span
    spill spin split spoken sprinkle squat stab staff stamp stare startle stir strap stray stride strive study stumble
    stun subdivide submit subscribe suggest sum summon suppress surf survey swallow swap swear swim swirl tag takes
    taunt tear thrust tick tie tilt tip toggle toil torn tow trail travel tremble trick trip triumph trot tuck tug
    type uncork underline undermine understand unfold unhook uninstall unite unmask unmute unpack unscramble upgrade
    uphold urge veil view vow waive wander warn weaken weep whistle whiten win withdraw withhold withstand woo wrap
    wreak wreck wrestle write written zip zoom
    """,
)

# with the ending of a verb, and none at the start of a text
_NOT_VERBS = _ranked(
    """
    accounting advertising anything building ceiling clothing during evening everything morning nothing operating
    something sterling trading advanced alfred alleged bed breed creed deed detailed feed fred greed hundred indeed
    interested jared kindred mixed need red sacred seed shred sled speed steed ted united weed wicked wilfred
    """
)


def starts_with_verb(tokens: Sequence[str]) -> bool:
    """Whether the first of the tokens (`tokens.tokens`) is a verb, given the second; none of them is no verb."""
    if not tokens or not _is_plain(tokens[0]):
        return False
    word, following = tokens[0].lower(), tokens[1] if len(tokens) > 1 else ""
    if word in NEEDS_PULL:
        return _pull(following) >= NEEDS_PULL[word]
    return len(word) > 3 and word.endswith(("ed", "ing")) and word not in _NOT_VERBS


def _is_plain(word: str) -> bool:
    """Letters, capital at most the first: a word in capitals is a name for the tagger."""
    return word.isascii() and word.isalpha() and (word[1:].islower() or len(word) == 1)


def _pull(following: str) -> int:
    return NUMBER_PULL if following[:1].isdigit() else PULLS.get(following, 0)
