"""The sentences that only reports on the likeness of texts say, in English and Chinese: see ``words``.

A key that ends in ``_likeness`` stands in for the key without it.
"""

# ruff: noqa: E501 - a sentence stays on one line, so that both languages can be read and searched

from __future__ import annotations

LIKENESS_WORDS: dict[str, tuple[str, str]] = {
    # systems and metrics
    "baseline_is_likeness": ("cosine of TF-IDF vectors", "TF-IDF 向量的余弦"),
    "untuned_is_likeness": ("the pretrained model, as it was", "未经微调的预训练模型"),
    # summary
    "hero_likeness": ("Spearman correlation {share} on {rows} test pairs", "在 {rows} 个测试文本对上，斯皮尔曼等级相关为 {share}"),
    "hero_sure_likeness": (
        "{confidence} interval {low} to {high}: how well the order of cosines is that of the scores. This is the {system}, asked through the same code that serves it.",
        "{confidence} 置信区间 {low} 至 {high}：余弦的次序与评分次序的一致程度。评估对象为{system}，与线上服务使用同一套预测代码。",
    ),
    "also_f1_likeness": ("Pearson correlation {value} points [{low}, {high}]", "皮尔逊相关 {value} 个百分点 [{low}, {high}]"),
    "fact_rows_likeness": ("test pairs", "测试文本对数"),
    "set_aside_likeness": (
        "{count} rows carried the same pair with different scores and became one row a pair, with their mean.",
        "有 {count} 行文本对相同而评分不同，已按文本对合并，取其平均值。",
    ),
    # scores
    "macro_note_likeness": (
        "Correlations of cosines with the true scores, in percent: 100 is best and 0 what chance gets. Cosines have no unit, so that no error in the unit of the data is told.",
        "余弦与真实评分的相关系数，以百分数表示：100 为最佳，随机为 0。余弦没有单位，因此不给出以数据单位计的误差。",
    ),
    # errors
    "errors_likeness": ("Pairs farthest out of place", "次序偏差最大的文本对"),
    "errors_lead_likeness": (
        "The {shown} pairs whose cosine stands farthest from where their score stands among all. Some are hard, some are mislabelled: read them before trusting the score.",
        "按余弦与按评分的名次相差最大的 {shown} 个文本对。有些确实难，有些是标注有误：相信分数之前请先读一读。",
    ),
    "out_of_place": ("out of place by {share} of the rows", "名次相差全部行数的 {share}"),
}
"""Key -> (English, Chinese)."""
