"""Models that no rule has seen, whose modules have names of no meaning."""

from hypothesis import given
from hypothesis import strategies as st

from masksolve.layout import Layout
from masksolve.roles import Facts, judge

WIDTH, INNER, WORDS, PLACES, EXPERTS = 64, 96, 500, 40, 24
SYLLABLES = st.text("dfklmz", min_size=3, max_size=6)


@st.composite
def models(draw):
    """Draw tensors of a mixture of experts: their shapes, and the layouts of its products."""
    names = draw(st.lists(SYLLABLES, min_size=9, max_size=9, unique=True))
    body, words, places, block, attention, router, stack, out, head = names
    first, second = draw(st.sampled_from([((1, 2), (INNER, WIDTH)), ((2, 1), (WIDTH, INNER))]))
    shapes = {
        f"{body}.{words}.weight": ((WORDS, WIDTH), None),
        f"{body}.{places}.weight": ((PLACES, WIDTH), None),
        f"{head}.weight": ((WORDS, WIDTH), None),
    }
    for k in range(draw(st.integers(1, 3))):
        before = f"{body}.{block}.{k}"
        shapes[f"{before}.{attention}.weight"] = (3 * WIDTH, WIDTH), Layout()
        shapes[f"{before}.{out}.weight"] = (WIDTH, WIDTH), Layout()
        shapes[f"{before}.{router}.weight"] = (EXPERTS, WIDTH), None
        shapes[f"{before}.{stack}.experts.up_proj"] = (EXPERTS, *second), Layout(first)
        shapes[f"{before}.{stack}.{out}"] = (EXPERTS, *second), None
    return shapes


CONFIG = {
    "model_type": "of_my_own",
    "vocab_size": WORDS,
    "n_positions": PLACES,
    "num_experts": EXPERTS,
    "hidden_size": WIDTH,
    "intermediate_size": INNER,
}


@given(models())
def test_products_are_chosen_and_all_else_is_named(model):
    facts, names = Facts.of(CONFIG), set(model)
    for name, (shape, layout) in model.items():
        verdict = judge(name, shape, facts, names)
        if layout is None:
            assert verdict.why or (verdict.layout is None and verdict.unsure), name
        else:
            assert (verdict.layout, verdict.why, verdict.unsure) == (layout, None, False), name


@given(models())
def test_without_a_configuration_no_product_is_lost(model):
    for name, (shape, layout) in model.items():
        verdict = judge(name, shape, Facts(), set(model))
        assert layout is None or (verdict.layout and not verdict.why)


@given(st.text(max_size=30), st.lists(st.integers(0, 9), max_size=6), st.lists(st.text()))
def test_any_name_and_shape_is_judged(name, shape, names):
    verdict = judge(name, shape, Facts.of(CONFIG), {name, *names})
    assert verdict.layout or verdict.why or verdict.unsure
    if verdict.layout:
        assert len(verdict.layout.sides(tuple(shape))) == 2
