import pytest

from luthier.text import dominant_language


@pytest.mark.parametrize(("texts", "code"), [
    (["这个手机很好用", "物流太慢了"], "zh"),
    (["我的 iPhone 手机屏幕坏了，客服说要等三天"], "zh"),
    (["How do I locate my card?", "It has not arrived."], "en"),
    (["How do I locate my card?", "我的卡在哪里"], "mixed"),
    (["これは日本語の文章です", "とても良い商品でした"], "other"),
    (["Где моя карта?"], "other"),
    (["une très belle journée à la mer, où était-ce déjà"], "other"),
    (["12345", "!!!", ""], "other"),
    ([], "other"),
])
def test_code(texts, code):
    assert dominant_language(texts).code == code


def test_shares_sum_to_one_and_count_words():
    language = dominant_language(["hello 你好"])
    assert language.shares["latin"] == pytest.approx(1 / 3, abs=1e-3)
    assert sum(language.shares.values()) == pytest.approx(1, abs=1e-3)
