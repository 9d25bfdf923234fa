"""The sentences that only reports on relations say, in English and Chinese: see ``words``.

A key that ends in ``_relations`` stands in for the key without it.
"""

# ruff: noqa: E501 - a sentence stays on one line, so that both languages can be read and searched

from __future__ import annotations

RELATION_WORDS: dict[str, tuple[str, str]] = {
    # systems and metrics
    "baseline_is_relations": ("TF-IDF of the two stretches and what is between them, and logistic regression", "两处及其间文字的 TF-IDF + 逻辑回归"),
    "new_head_is_relations": ("the same model, its new head still untrained", "同一模型，关系头尚未训练"),
    "relation_f1": ("Relation F1", "关系 F1"),
    "f1_macro_relations": ("F1, mean of the relations", "各关系 F1 平均"),
    "f1_micro_relations": ("F1, all pairs together", "全部实体对合计 F1"),
    "precision_micro_relations": ("Precision", "精确率"),
    "recall_micro_relations": ("Recall", "召回率"),
    # summary
    "hero_relations": ("Relation F1 {share}{interval} on {rows} test pairs", "在 {rows} 个测试实体对上，关系 F1 为 {share}{interval}"),
    "hero_sure_relations": (
        "Brackets hold the {confidence} interval, {low} to {high}. A relation the wrong way round is wrong; pairs without one only count where one was told. This is the {system}, asked through the same code that serves it.",
        "方括号内为 {confidence} 置信区间（{low} 至 {high}）。方向判反即为错误；没有关系的实体对只在被判出关系时计入。评估对象为{system}，与线上服务使用同一套预测代码。",
    ),
    "also_f1_relations": ("Rows right {value} points [{low}, {high}]", "整行正确率 {value} 个百分点 [{low}, {high}]"),
    "fact_rows_relations": ("test pairs", "测试实体对数"),
    # scores
    "macro_note_relations": (
        "Scores of relations leave pairs without one out, and take both directions of a relation together. Relation F1 is the mean over relations where labels say a direction (the official measure of SemEval-2010 Task 8), else that of all pairs together (TACRED's). Brackets hold the {confidence} interval; one of no width means that these rows hold no error, not that none can come.",
        "关系得分不计没有关系的实体对，同一关系的两个方向合并计算。标签含方向时，关系 F1 为各关系的平均（SemEval-2010 Task 8 官方指标），否则为全部实体对合计（TACRED 指标）。方括号内为 {confidence} 置信区间；区间宽度为零仅表示这些行中没有出错，并不代表不会出错。",
    ),
    # classes
    "classes_relations": ("Label by label, each direction by itself", "逐标签表现（方向分开计）"),
    # errors
    "head": ("head", "头"),
    "tail": ("tail", "尾"),
}
"""Key -> (English, Chinese)."""
