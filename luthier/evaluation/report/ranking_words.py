"""The sentences that only reports on retrieval say, in English and Chinese: see ``words``.

A key that ends in ``_rankings`` stands in for the key without it.
"""

# ruff: noqa: E501 - a sentence stays on one line, so that both languages can be read and searched

from __future__ import annotations

RANKING_WORDS: dict[str, tuple[str, str]] = {
    # systems and metrics
    "baseline_is_rankings": ("cosine of TF-IDF vectors", "TF-IDF 向量的余弦"),
    "untuned_is_rankings": ("the pretrained model, as it was", "未经微调的预训练模型"),
    "ndcg@10": ("nDCG@10", "nDCG@10"),
    "mrr@10": ("Reciprocal rank of the first right passage, MRR@10", "首个正确段落的倒数排名 MRR@10"),
    "recall@1": ("Right passages ranked first, recall@1", "排在首位的正确段落 recall@1"),
    "recall@10": ("Right passages among the first ten, recall@10", "排在前十的正确段落 recall@10"),
    "triplet_accuracy": ("Given negatives ranked behind", "给定负例排在正例之后"),
    # summary
    "hero_rankings": ("nDCG@10 {share}{interval} on {rows} test queries", "在 {rows} 个测试查询上，nDCG@10 为 {share}{interval}"),
    "hero_sure_rankings": (
        "{confidence} interval {low} to {high}. Each query ranks all passages of the test rows. This is the {system}, asked through the same code that serves it.",
        "{confidence} 置信区间 {low} 至 {high}。每个查询对测试集的全部段落排序。评估对象为{system}，与线上服务使用同一套预测代码。",
    ),
    "also_f1_rankings": ("Ranked first {value} points [{low}, {high}]", "首位命中 {value} 个百分点 [{low}, {high}]"),
    "fact_rows_rankings": ("test queries", "测试查询数"),
    "fact_wrong_rankings": ("with another passage first", "首位不是正确段落"),
    "fact_rate_rankings": ("queries a second, all passages embedded", "每秒查询数（含全部段落的向量化）"),
    "set_aside_rankings": (
        "{count} rows had the query of another row and were joined to one row a query, with the passages of all.",
        "有 {count} 行的查询与其他行相同，已按查询合并，并保留全部段落。",
    ),
    # scores
    "macro_note_rankings": (
        "Means over queries; relevance is 0 or 1, and a passage that scores the same as a right one counts as ranked before it. Scores fall as the corpus grows: compare systems on the same one. Brackets hold the {confidence} interval.",
        "均为各查询得分的平均；相关性取 0 或 1，与正确段落同分的段落视为排在其前。语料越大得分越低，只宜在同一语料上比较。方括号内为 {confidence} 置信区间。",
    ),
    # depth
    "depth": ("How far down", "排在多后"),
    "depth_lead": ("Queries whose first right passage stands among the first ones.", "首个正确段落排在前若干位的查询数。"),
    "ranked": ("Among the first", "排在前"),
    "among": ("{k}", "{k}"),
    # errors
    "errors_lead_rankings": (
        "{wrong} queries ranked another passage first; the {shown} with the right one farthest behind it. Some of these passages are right, too, and nobody said so: read them before trusting the score.",
        "{wrong} 个查询的首位不是正确段落，这里列出正确段落落后最多的 {shown} 个。其中有些段落其实同样正确，只是没有标注：相信分数之前请先读一读。",
    ),
    "right_at": ("right at rank {rank}", "正确段落排第 {rank}"),
}
"""Key -> (English, Chinese)."""
