"""The sentences that only reports on written texts say, in English and Chinese: see ``words``.

A key that ends in ``_texts`` stands in for the key without it.
"""

# ruff: noqa: E501 - a sentence stays on one line, so that both languages can be read and searched

from __future__ import annotations

TEXT_WORDS: dict[str, tuple[str, str]] = {
    # systems and metrics
    "baseline_is_texts": (
        "the best of four simple ways: the text itself, its first sentence, its first three, or the target of the most similar training text",
        "四种简单做法中最好的一种：原文、原文首句、原文前三句，或最相似训练文本的目标文本",
    ),
    "chrf": ("chrF", "chrF"),
    "bleu": ("BLEU", "BLEU"),
    "rouge1": ("ROUGE-1", "ROUGE-1"),
    "rouge2": ("ROUGE-2", "ROUGE-2"),
    "rougeL": ("ROUGE-L", "ROUGE-L"),
    "rougeLsum": ("ROUGE-Lsum", "ROUGE-Lsum"),
    "exact_match_texts": ("Equal to a right text", "与参考文本完全一致"),
    "accuracy_texts": ("Right next tokens", "下一词元正确率"),
    # summary
    "hero_texts": ("chrF {share}{interval} on {rows} test rows", "在 {rows} 行测试数据上，chrF 为 {share}{interval}"),
    "hero_sure_texts": (
        "Brackets hold the {confidence} interval, {low} to {high}. chrF compares runs of characters with the right texts. This is the {system}, asked through the same code that serves it.",
        "方括号内为 {confidence} 置信区间（{low} 至 {high}）。chrF 比较生成文本与参考文本共有的字符片段。评估对象为{system}，与线上服务使用同一套预测代码。",
    ),
    "also_f1_texts": ("BLEU {value} points [{low}, {high}]", "BLEU {value} 个百分点 [{low}, {high}]"),
    "fact_wrong_texts": ("not equal to a right text", "与参考文本不完全一致"),
    "fact_unended": ("ended by the length limit", "因长度上限而中断"),
    "no_baseline_texts": (
        "No baseline was scored, so nothing here says whether copying a text would do.",
        "未评估基线，因此无法判断直接照抄文本是否已经够用。",
    ),
    # scores
    "macro_note_texts": (
        "chrF and BLEU are scores of the whole collection, as sacrebleu counts them, here in percent (BLEU counts runs of four words, and is 0 where no text has four); ROUGE and equality are means over rows. Of several right texts each row counts the best. Brackets hold the {confidence} interval. None of them knows meaning: read the texts too.",
        "chrF 与 BLEU 为整个测试集的得分，按 sacrebleu 计算，以百分数表示（BLEU 统计连续四词的片段，所有文本都不足四词时为 0）；ROUGE 与完全一致率为各行平均。有多个参考文本时取最好的一个。方括号内为 {confidence} 置信区间。这些指标都不理解含义，请同时阅读文本。",
    ),
    # errors
    "errors_texts": ("Farthest from the right texts", "与参考文本相差最大"),
    "errors_lead_texts": (
        "The {shown} texts that share least with a right one. Some are as good in other words: read them before trusting the score.",
        "与参考文本相同之处最少的 {shown} 个结果。有些只是换了说法，同样正确：相信分数之前请先读一读。",
    ),
    "by_chrf": ("chrF {value}", "chrF {value}"),
    "source_text": ("for", "原文"),
    "written_text": ("written", "生成"),
    "right_text": ("right", "参考"),
}
"""Key -> (English, Chinese)."""
