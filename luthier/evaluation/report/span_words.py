"""The sentences that only reports on entities say, in English and Chinese: see ``words``.

A key that ends in ``_spans`` stands in for the key without it.
"""

# ruff: noqa: E501 - a sentence stays on one line, so that both languages can be read and searched

from __future__ import annotations

SPAN_WORDS: dict[str, tuple[str, str]] = {
    # systems and metrics
    "baseline_is_spans": ("dictionary of the training entities", "训练集实体词典"),
    "accuracy_spans": ("Rows all right", "整行全对率"),
    "f1_micro_spans": ("Entity F1", "实体 F1"),
    "precision_micro_spans": ("Precision", "精确率"),
    "recall_micro_spans": ("Recall", "召回率"),
    "f1_macro_spans": ("Entity F1, mean of the types", "实体 F1（各类型平均）"),
    "f1_weighted_spans": ("Entity F1, types by their entities", "实体 F1（按实体数加权）"),
    "label_spans": ("Type", "类型"),
    # summary
    "hero_spans": ("Entity F1 {share}{interval} on {rows} test rows", "在 {rows} 行测试数据上，实体 F1 为 {share}{interval}"),
    "hero_sure_spans": (
        "Brackets hold the {confidence} interval, {low} to {high}. An entity counts when its start, its end and its type all agree. This is the {system}, asked through the same code that serves it.",
        "方括号内为 {confidence} 置信区间（{low} 至 {high}）。起点、终点与类型全部一致才算找对。评估对象为{system}，与线上服务使用同一套预测代码。",
    ),
    "also_f1_spans": ("Rows all right {value} points [{low}, {high}]", "整行全对率 {value} 个百分点 [{low}, {high}]"),
    "fact_labels_spans": ("entity types", "实体类型数"),
    "fact_entities": ("entities in them", "其中的实体"),
    "fact_found": ("found", "找对"),
    "fact_missed": ("missed", "漏掉"),
    "fact_extra": ("too many", "多找"),
    "fact_wrong_spans": ("rows with an error", "有错的行"),
    "thin_classes_spans": (
        "{count} of {classes} types have fewer than 10 test entities; their own scores say little: {names}.",
        "{classes} 个类型中有 {count} 个的测试实体不足 10 个，其单独得分参考意义有限：{names}。",
    ),
    "no_baseline_spans": (
        "No baseline was scored, so nothing here says whether a plain dictionary would do.",
        "未评估基线，因此无法判断简单的词典是否已经够用。",
    ),
    # scores
    "macro_note_spans": (
        "The first three pool all entities (micro average). An entity counts when its start, its end and its type all agree, as in the CoNLL shared tasks and seqeval. Brackets hold the {confidence} interval; one of no width means that these rows hold no error, not that none can come.",
        "前三项把所有实体合在一起计算（微平均）。与 CoNLL 评测及 seqeval 一致：起点、终点与类型全部一致才算找对。方括号内为 {confidence} 置信区间；区间宽度为零仅表示这些行中没有出错，并不代表不会出错。",
    ),
    # classes
    "classes_spans": ("Type by type", "逐类型表现"),
    "classes_lead_spans": (
        "Weakest first. The bar is F1, the line its {confidence} interval; precision is how many of the entities found were right, recall how many of the true ones were found.",
        "按 F1 由低到高排列。色条为 F1，细线为其 {confidence} 置信区间；精确率指找出的实体中正确的比例，召回率指真实实体被找出的比例。",
    ),
    "rows_spans": ("Entities", "实体数"),
    "show_all_spans": ("Show the other {count} types", "显示其余 {count} 个类型"),
    # outcomes
    "outcomes": ("Found, missed, too many", "找对、漏掉与多找"),
    "outcomes_lead": (
        "Entities of each type. One with a wrong start, end or type counts twice: the true one is missed, the one found is too many.",
        "各类型的实体。起点、终点或类型有误时计两次：真实的算漏掉，找出的算多找。",
    ),
    "missed_spans": ("Missed", "漏掉"),
    "found_spans": ("Found", "找对"),
    "false_alarm_spans": ("Too many", "多找"),
    # counting
    "counting": ("Counted in other ways", "其他计分方式"),
    "counting_lead": (
        "The same answers, held to laxer rules. Compare with a paper only where it counts alike.",
        "同样的回答，用较宽松的规则计分。只有计分方式相同，才能与论文相比。",
    ),
    "way": ("What counts", "计分规则"),
    "way_strict": ("Strict", "严格"),
    "way_strict_is": (
        "Start, end and type agree: the entity F1 of this report, of the CoNLL shared tasks and of seqeval.",
        "起点、终点与类型全部一致：即本报告、CoNLL 评测与 seqeval 的实体 F1。",
    ),
    "way_exact": ("Boundaries", "边界"),
    "way_exact_is": ("Start and end agree, whatever the type.", "起点与终点一致，不计类型。"),
    "way_type": ("Type", "类型"),
    "way_type_is": ("The type agrees and the two overlap.", "类型一致且有重叠。"),
    "way_partial": ("Partial", "部分"),
    "way_partial_is": (
        "Start and end agree, or half a point for any overlap, whatever the type.",
        "起点与终点一致得一分，有重叠得半分，不计类型。",
    ),
    "ways_note": (
        "The last three are those of SemEval-2013 task 9 (after MUC), matched one to one, the best overlap first.",
        "后三种沿用 SemEval-2013 任务 9（源自 MUC）的定义，一对一匹配，重叠最多者优先。",
    ),
    "f1_of": ("F1, {system}", "F1，{system}"),
    "overlapping": ("Entities that begin within another", "从另一实体内部开始的实体"),
    # tags
    "tags": ("Word by word", "逐词标签"),
    "tags_lead": (
        "The table that many tutorials print: {words} words by their BIO tag (B begins an entity, I goes on with it, O is in none).",
        "许多教程打印的就是这张表：{words} 个词按 BIO 标签统计（B 为实体开头，I 为实体其余部分，O 不属于任何实体）。",
    ),
    "tags_note": (
        "These averages include O, which most words are and nearly every model gets right: that is why they look better than the entity F1, and why papers that show them do not compare with it.",
        "这些平均值把 O 也算在内：大多数词都是 O，几乎任何模型都能判对。因此它们看起来高于实体 F1，给出这种数字的论文也不能与实体 F1 直接相比。",
    ),
    "tag": ("Tag", "标签"),
    "words": ("Words", "词数"),
    "average_micro": ("micro average (share of right words)", "微平均（判对的词所占比例）"),
    "average_macro": ("macro average", "宏平均"),
    "average_weighted": ("weighted average", "加权平均"),
    # errors
    "errors_lead_spans": (
        "{shown} of {wrong} rows with an error, those with the surest wrong entity first; rows where entities were only missed come last. Some are hard, some are mislabelled: read them before trusting the score.",
        "{wrong} 行有错，这里列出 {shown} 行：错找的实体把握最大的排在最前，只有漏掉的排在最后。有些确实难，有些是标注有误：相信分数之前请先读一读。",
    ),
    "only_missed": ("only missed", "仅有漏掉"),
    "mark_right": ("found rightly", "找对"),
    "mark_missed": ("missed", "漏掉"),
    "mark_extra": ("too many, with its score", "多找（附其得分）"),
    "chars_before": ("{count} characters before …", "前面另有 {count} 个字符……"),
}
"""Key -> (English, Chinese)."""
