"""The sentences that only reports on entities and relations say, in English and Chinese: see ``words``.

A key that ends in ``_triples`` stands in for the key without it.
"""

# ruff: noqa: E501 - a sentence stays on one line, so that both languages can be read and searched

from __future__ import annotations

TRIPLE_WORDS: dict[str, tuple[str, str]] = {
    # systems and metrics
    "baseline_is_triples": ("dictionary of the training entities, and the commonest relation of their types", "训练集实体词典 + 实体类型间最常见的关系"),
    "new_head_is_triples": ("the same model, its new head still untrained", "同一模型，新分类头尚未训练"),
    "accuracy_triples": ("Rows all right, entities and triples", "整行全对率（实体与三元组）"),
    "f1_micro_triples": ("Triple F1", "三元组 F1"),
    "precision_micro_triples": ("Triple precision", "三元组精确率"),
    "recall_micro_triples": ("Triple recall", "三元组召回率"),
    "f1_macro_triples": ("Triple F1, mean of the relations", "三元组 F1（各关系平均）"),
    "f1_boundaries": ("Triple F1, types ignored", "三元组 F1（不计实体类型）"),
    "f1_entities": ("Entity F1", "实体 F1"),
    "precision_entities": ("Entity precision", "实体精确率"),
    "recall_entities": ("Entity recall", "实体召回率"),
    "label_triples": ("Relation", "关系"),
    # summary
    "hero_triples": ("Triple F1 {share}{interval} on {rows} test rows", "在 {rows} 行测试数据上，三元组 F1 为 {share}{interval}"),
    "hero_sure_triples": (
        "Brackets hold the {confidence} interval, {low} to {high}. A triple counts when start, end and type of both entities and the relation between them all agree. This is the {system}, asked through the same code that serves it.",
        "方括号内为 {confidence} 置信区间（{low} 至 {high}）。两个实体的起点、终点、类型以及二者之间的关系全部一致才算找对。评估对象为{system}，与线上服务使用同一套预测代码。",
    ),
    "also_f1_triples": ("Entity F1 {value} points [{low}, {high}]", "实体 F1 {value} 个百分点 [{low}, {high}]"),
    "fact_labels_triples": ("relations", "关系数"),
    "fact_types": ("entity types", "实体类型数"),
    "fact_triples": ("triples in them", "其中的三元组"),
    "fact_wrong_triples": ("rows with an error", "有错的行"),
    "thin_classes_triples": (
        "{count} of {classes} relations have fewer than 10 test triples; their own scores say little: {names}.",
        "{classes} 种关系中有 {count} 种的测试三元组不足 10 个，其单独得分参考意义有限：{names}。",
    ),
    "no_baseline_triples": (
        "No baseline was scored, so nothing here says whether a plain dictionary would do.",
        "未评估基线，因此无法判断简单的词典是否已经够用。",
    ),
    # scores
    "macro_note_triples": (
        "All triples are pooled (micro average). A triple counts when both entities, with their types, and the relation agree (Rel+ of PURE, strict in SpERT); with types ignored, both stretches and the relation (Rel). Entities count as in the CoNLL shared tasks. Brackets hold the {confidence} interval; one of no width means that these rows hold no error, not that none can come.",
        "所有三元组合在一起计算（微平均）。两个实体（含类型）与关系全部一致才算找对（PURE 的 Rel+、SpERT 的严格指标）；不计类型时只要求两处文字与关系一致（Rel）。实体按 CoNLL 评测计分。方括号内为 {confidence} 置信区间；区间宽度为零仅表示这些行中没有出错，并不代表不会出错。",
    ),
    # classes
    "classes_triples": ("Relation by relation", "逐关系表现"),
    "classes_lead_triples": (
        "Weakest first. The bar is F1, the line its {confidence} interval; precision is how many of the triples found were right, recall how many of the true ones were found.",
        "按 F1 由低到高排列。色条为 F1，细线为其 {confidence} 置信区间；精确率指找出的三元组中正确的比例，召回率指真实三元组被找出的比例。",
    ),
    "rows_triples": ("Triples", "三元组数"),
    "show_all_triples": ("Show the other {count} relations", "显示其余 {count} 种关系"),
    # extracted
    "extracted": ("Triples and their entities", "三元组与实体"),
    "extracted_lead": (
        "A triple needs both of its entities: where they are missed, no relation can be right.",
        "三元组以两个实体为前提：实体没有找对，关系就不可能算对。",
    ),
    "counted_as": ("What counts", "计分规则"),
    "count_triples": ("Triples", "三元组"),
    "count_triples_is": ("Both entities with their types, and the relation: the triple F1 of this report.", "两个实体（含类型）与关系全部一致：即本报告的三元组 F1。"),
    "count_boundaries": ("Types ignored", "不计类型"),
    "count_boundaries_is": ("Start and end of both entities, and the relation.", "两个实体的起点、终点与关系一致。"),
    "count_entities": ("Entities", "实体"),
    "count_entities_is": ("Start, end and type of each, whatever the relations.", "起点、终点与类型一致，不计关系。"),
    "entity_types": ("Entities, type by type", "各类型实体"),
    "entity_type": ("Type", "类型"),
    "fact_entities_all": ("Entities", "实体数"),
    # errors
    "errors_lead_triples": (
        "{shown} of {wrong} rows with an error, those with the surest wrong entity or relation first; rows where something was only missed come last. Some are hard, some are mislabelled: read them before trusting the score.",
        "{wrong} 行有错，这里列出 {shown} 行：错找的实体或关系把握最大的排在最前，只有漏掉的排在最后。有些确实难，有些是标注有误：相信分数之前请先读一读。",
    ),
    "more_triples": ("and {count} more triples", "另有 {count} 个三元组"),
}
"""Key -> (English, Chinese)."""
