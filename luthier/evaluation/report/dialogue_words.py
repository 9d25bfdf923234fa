"""The sentences that only reports on conversations say, in English and Chinese: see ``words``.

A key that ends in ``_dialogue`` stands in for the key without it; most say what reports on written texts say.
"""

# ruff: noqa: E501 - a sentence stays on one line, so that both languages can be read and searched

from __future__ import annotations

from luthier.evaluation.report.text_words import TEXT_WORDS

DIALOGUE_WORDS: dict[str, tuple[str, str]] = {
    **{key.removesuffix("_texts") + "_dialogue": said for key, said in TEXT_WORDS.items() if key.endswith("_texts")},
    "baseline_is_dialogue": (
        "the best of four simple ways: what was said, its first sentence, its first three, or the answer to the most similar training conversation",
        "四种简单做法中最好的一种：原话、原话首句、原话前三句，或最相似训练对话的回答",
    ),
    "perplexity": ("Perplexity of the right answers", "参考回答的困惑度"),
    "hero_dialogue": ("chrF {share}{interval} on {rows} test conversations", "在 {rows} 段测试对话上，chrF 为 {share}{interval}"),
    "also_f1_dialogue": ("ROUGE-L {value} points [{low}, {high}]", "ROUGE-L {value} 个百分点 [{low}, {high}]"),
    "macro_note_dialogue": (
        "The last answer of each conversation is written after the turns before it and held against the right one. chrF and BLEU are scores of the whole collection, ROUGE and equality means over rows. Perplexity tells how surprised the model is by each token of the right answers; less is better. Brackets hold the {confidence} interval. None of them knows meaning: read the answers too.",
        "每段对话的最后一个回答由模型根据之前的轮次生成，再与参考回答比较。chrF 与 BLEU 为整个测试集的得分，ROUGE 与完全一致率为各行平均。困惑度表示模型对参考回答各词元的意外程度，越低越好。方括号内为 {confidence} 置信区间。这些指标都不理解含义，请同时阅读回答。",
    ),
}
"""Key -> (English, Chinese)."""
