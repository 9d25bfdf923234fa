"""The sentences that only reports on re-ranking say, in English and Chinese: see ``words``.

A key that ends in ``_orderings`` stands in for the key without it. Metrics that searches have, too, are named there.
"""

# ruff: noqa: E501 - a sentence stays on one line, so that both languages can be read and searched

from __future__ import annotations

ORDERING_WORDS: dict[str, tuple[str, str]] = {
    # systems and metrics
    "baseline_is_orderings": ("the order in which TF-IDF finds passages", "TF-IDF 检索给出的原始顺序"),
    "map": ("Mean average precision, MAP", "平均精度均值 MAP"),
    "recall@candidates": ("Right passages among the candidates: the ceiling", "候选中包含的正确段落（上限）"),
    # summary
    "hero_orderings": ("nDCG@10 {share}{interval} on {rows} test queries", "在 {rows} 个测试查询上，nDCG@10 为 {share}{interval}"),
    "hero_sure_orderings": (
        "{confidence} interval {low} to {high}. Each query's candidates are those that TF-IDF finds among all passages of the test rows; right ones that it misses count as missed. This is the {system}, asked through the same code that serves it.",
        "{confidence} 置信区间 {low} 至 {high}。每个查询的候选由 TF-IDF 在测试集的全部段落中检索得到，未检索到的正确段落按未命中计。评估对象为{system}，与线上服务使用同一套预测代码。",
    ),
    "also_f1_orderings": ("Ranked first {value} points [{low}, {high}]", "首位命中 {value} 个百分点 [{low}, {high}]"),
    "fact_rows_orderings": ("test queries", "测试查询数"),
    "fact_wrong_orderings": ("with another passage first", "首位不是正确段落"),
    "fact_unfound": ("whose right passages no candidate holds", "候选中没有任何正确段落"),
    "fact_rate_orderings": ("queries a second, with all candidates", "每秒查询数（含全部候选）"),
    "set_aside_orderings": (
        "{count} rows had the query of another row and were joined to one row a query, with the passages of all.",
        "有 {count} 行的查询与其他行相同，已按查询合并，并保留全部段落。",
    ),
    # scores
    "macro_note_orderings": (
        "Means over queries, as trec_eval defines them; passages that are not judged count as irrelevant. No order of the candidates finds more than the last line says. Scores depend on the first search and on the corpus: compare systems on the same ones. Brackets hold the {confidence} interval.",
        "均为各查询得分的平均，定义与 trec_eval 一致；未标注的段落视为不相关。任何重排都不会超过最后一行的上限。得分取决于首轮检索与语料，只宜在相同条件下比较。方括号内为 {confidence} 置信区间。",
    ),
    # errors
    "errors_lead_orderings": (
        "{wrong} queries got another passage first; the {shown} with the right one farthest behind it, or missed by the first search. Some of these passages are right, too, and nobody said so: read them before trusting the score.",
        "{wrong} 个查询的首位不是正确段落，这里列出正确段落落后最多或首轮检索未命中的 {shown} 个。其中有些段落其实同样正确，只是没有标注：相信分数之前请先读一读。",
    ),
    "right_at_orderings": ("right at rank {rank}", "正确段落排第 {rank}"),
    "right_missed": ("missed by the first search", "首轮检索未命中"),
}
"""Key -> (English, Chinese)."""
