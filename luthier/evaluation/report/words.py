"""The sentences of reports, in English and Chinese; kinds bring what only theirs say. Values are put in by name, escaped by ``html.both``."""

# ruff: noqa: E501 - a sentence stays on one line, so that both languages can be read and searched

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from luthier.evaluation.kind import every_kind, kind_of
from luthier.schema import LabelSet

if TYPE_CHECKING:
    from luthier.evaluation.evaluate import Evaluation

WORDS: dict[str, tuple[str, str]] = {
    # frame
    "report": ("Evaluation report", "评估报告"),
    "created": ("Written {when}", "生成于 {when}"),
    "theme_auto": ("Auto", "自动"),
    "theme_light": ("Light", "浅色"),
    "theme_dark": ("Dark", "深色"),
    "footer": (
        "One file, no script, nothing loaded from a network. The texts in it are your own: share it as you would share them.",
        "单个文件，不含脚本，不从网络加载任何内容。其中的文本来自您的数据，请按同样的保密要求传阅。",
    ),
    "reproduce_with": ("Reproduce with", "复现命令"),
    # systems and metrics
    "baseline": ("Baseline", "基线"),
    "untuned": ("Untuned model", "微调前模型"),
    "tuned": ("Tuned model", "微调后模型"),
    "baseline_is": ("TF-IDF and logistic regression", "TF-IDF + 逻辑回归"),
    "untuned_is": ("the same model before tuning", "微调前的同一模型"),
    "new_head_is": ("the same model, its new head still untrained", "同一模型，分类头尚未训练"),
    "tuned_is": ("what the bundle serves", "模型包实际提供的服务"),
    "accuracy": ("Accuracy", "准确率"),
    "accuracy_multi": ("All labels right", "标签全对率"),
    "f1_macro": ("F1, macro", "宏平均 F1"),
    "f1_micro": ("F1, micro", "微平均 F1"),
    "f1_weighted": ("F1, weighted", "加权 F1"),
    # labels that are paths
    "f1_path": ("F1, all levels together", "F1，各级合计"),
    "precision_path": ("Precision, all levels", "精确率，各级合计"),
    "recall_path": ("Recall, all levels", "召回率，各级合计"),
    **{f"f1_level_{number}": (f"F1, level {number}", f"F1，第 {number} 级") for number in range(1, 7)},
    "precision_macro": ("Precision, macro", "宏平均精确率"),
    "recall_macro": ("Recall, macro", "宏平均召回率"),
    "roc_auc_macro": ("ROC area, macro", "ROC 曲线下面积（宏平均）"),
    "average_precision_macro": ("Average precision, macro", "平均精度（宏平均）"),
    "log_loss": ("Log loss", "对数损失"),
    "hamming_loss": ("Hamming loss", "汉明损失"),
    "precision": ("Precision", "精确率"),
    "recall": ("Recall", "召回率"),
    "f1": ("F1", "F1"),
    "rows": ("Rows", "行数"),
    "label": ("Label", "标签"),
    "metric": ("Metric", "指标"),
    "step": ("Optimiser step", "优化步数"),
    "seconds": ("Seconds for the test rows", "测试集用时（秒）"),
    "cut": ("Texts cut", "被截断文本"),
    # summary
    "hero": ("Right on {share} of {rows} test rows", "在 {rows} 行测试数据上，{share} 判断正确"),
    "hero_multi": (
        "All labels right on {share} of {rows} test rows",
        "在 {rows} 行测试数据上，{share} 的行标签全部正确",
    ),
    "hero_sure": (
        "{confidence} interval {low} to {high}. This is the {system}, asked through the same code that serves it.",
        "{confidence} 置信区间 {low} 至 {high}。评估对象为{system}，与线上服务使用同一套预测代码。",
    ),
    "hero_perfect": (
        "These rows hold no error, so they cannot tell how rare errors are: up to {share} of rows may still be answered wrongly (rule of three, 95%). This is the {system}, asked through the same code that serves it.",
        "这些行中没有出错，因此无从得知错误有多罕见：实际错误率仍可能高达 {share}（三倍法则，95%）。评估对象为{system}，与线上服务使用同一套预测代码。",
    ),
    "against": ("against the {other}: {what}", "对比{other}：{what}"),
    "also_f1": ("Macro F1 {value} points [{low}, {high}]", "宏平均 F1 {value} 个百分点 [{low}, {high}]"),
    "points": ("{value} points", "{value} 个百分点"),
    "verdict_better": (
        "A real gain: the {confidence} interval, {low} to {high} points, lies above zero.",
        "提升可信：{confidence} 置信区间为 {low} 至 {high} 个百分点，整体大于零。",
    ),
    "verdict_worse": (
        "Worse: the {confidence} interval, {low} to {high} points, lies below zero. Use the other one.",
        "变差：{confidence} 置信区间为 {low} 至 {high} 个百分点，整体小于零，应使用对方。",
    ),
    "verdict_no significant difference": (
        "Could be chance: the {confidence} interval, {low} to {high} points, holds zero. These rows cannot tell the two apart.",
        "可能只是偶然：{confidence} 置信区间为 {low} 至 {high} 个百分点，包含零。凭这些数据无法区分二者。",
    ),
    "fact_rows": ("test rows", "测试行数"),
    "fact_labels": ("labels", "标签数"),
    "fact_wrong": ("answered wrongly", "判断错误"),
    "fact_cut": ("texts not read whole", "未完整读取的文本"),
    "fact_rate": ("texts a second", "每秒文本数"),
    # notices
    "notices": ("Before you rely on it", "使用前须知"),
    "none_cut": ("Every test text was looked at as a whole.", "所有测试文本均被完整读取。"),
    "some_cut": (
        "{count} of {rows} test texts were not looked at as a whole (truncated). They are scored as served.",
        "{rows} 条测试文本中有 {count} 条未被完整读取（truncated），按线上方式计分。",
    ),
    "few_rows": (
        "Only {rows} test rows: the intervals are wide for a reason. Judge again with more.",
        "测试集仅有 {rows} 行，因此置信区间较宽。建议用更多数据再评估。",
    ),
    "thin_classes": (
        "{count} of {classes} labels have fewer than 10 test rows; their own scores say little: {names}.",
        "{classes} 个标签中有 {count} 个的测试行数不足 10，其单独得分参考意义有限：{names}。",
    ),
    "set_aside": (
        "{count} rows carried the same text with different labels and were set aside. Someone should decide what they are.",
        "有 {count} 行文本相同而标签不同，已被搁置，需要人工裁定。",
    ),
    "no_baseline": (
        "No baseline was scored, so nothing here says whether a simple model would do.",
        "未评估基线，因此无法判断简单模型是否已经够用。",
    ),
    # scores
    "scores": ("Scores", "总体得分"),
    "scores_lead": (
        "Every system answered the same test rows. Dots are the scores, lines their {confidence} intervals from {resamples} bootstrap resamples of the rows.",
        "所有系统回答同一批测试数据。圆点为得分，横线为对测试行做 {resamples} 次自助重采样得到的 {confidence} 置信区间。",
    ),
    "scores_lead_one": (
        "Dots are the scores, lines their {confidence} intervals from {resamples} bootstrap resamples of the rows.",
        "圆点为得分，横线为对测试行做 {resamples} 次自助重采样得到的 {confidence} 置信区间。",
    ),
    "scores_axis": ("score in %", "得分（%）"),
    "scores_axis_cut": ("score in %; the axis does not start at 0", "得分（%）；坐标轴不从 0 开始"),
    "all_metrics": ("All numbers", "全部数字"),
    "macro_note": (
        "Macro averages count each label alike, micro each decision, weighted each row's label. Brackets hold the {confidence} interval; one of no width means that these rows hold no error, not that none can come.",
        "宏平均对各标签一视同仁，微平均按每次判断计，加权平均按标签行数计。方括号内为 {confidence} 置信区间；区间宽度为零仅表示这些行中没有出错，并不代表今后不会出错。",
    ),
    # classes
    "classes": ("Label by label", "逐标签表现"),
    "classes_lead": (
        "Weakest first. The bar is F1, the line its {confidence} interval; precision is how many of the answers were right, recall how many of the label's rows were found.",
        "按 F1 由低到高排列。色条为 F1，细线为其 {confidence} 置信区间；精确率指给出该标签时答对的比例，召回率指该标签的行被找出的比例。",
    ),
    "baseline_tick": ("the baseline's F1", "基线的 F1"),
    "show_all": ("Show the other {count} labels", "显示其余 {count} 个标签"),
    # confusion
    "confusion": ("What is taken for what", "混淆情况"),
    "confusion_lead": (
        "Rows are the true label, columns the answer. Green cells are right, red cells wrong, darker is a larger share of the row.",
        "行为真实标签，列为模型回答。绿色为正确，红色为错误，颜色越深表示占该行比例越大。",
    ),
    "confusion_true": ("true label", "真实标签"),
    "confusion_answer": ("answer", "模型回答"),
    "confusions_top": ("Most frequent confusions", "最常见的混淆"),
    "column_truth": ("True label", "真实标签"),
    "column_said": ("Answer", "模型回答"),
    "confusions_share": ("Share of the true label", "占真实标签的比例"),
    "confusions_none": ("No row was answered wrongly.", "没有判断错误的行。"),
    "decisions_lead": (
        "Each label is its own yes or no. The bar splits into found, missed and false alarms.",
        "每个标签单独判断有无。色条依次为命中、漏判与误报。",
    ),
    "found": ("Found", "命中"),
    "missed": ("Missed", "漏判"),
    "false_alarm": ("False alarm", "误报"),
    # curves
    "curves": ("At every threshold", "不同阈值下的表现"),
    "curves_lead_binary": (
        "How the answers for “{label}” change as more or less certainty is asked for.",
        "要求的把握程度变化时，对“{label}”的判断如何变化。",
    ),
    "curves_lead_many": (
        "Bold lines pool the yes or no of every label (micro average); thin grey lines are the single labels of the {system}.",
        "粗线为所有标签判断的合并结果（微平均），灰色细线为{system}的各个标签。",
    ),
    "roc": ("ROC", "ROC 曲线"),
    "pr": ("Precision and recall", "精确率—召回率曲线"),
    "false_positive_rate": ("false positive rate", "假正率"),
    "true_positive_rate": ("true positive rate", "真正率"),
    "area": ("area", "面积"),
    # training
    "training": ("How it was tuned", "微调过程"),
    "training_lead": (
        "Left: the loss falls as the model learns; dots are the validation rows, which it never learns from. Right: the validation score; the ring marks the step that was kept.",
        "左：损失随训练下降，圆点为未参与训练的验证集。右：验证集得分，圆环标出最终保留的步数。",
    ),
    "loss": ("loss", "损失"),
    "train_loss": ("training", "训练集"),
    "valid_loss": ("validation", "验证集"),
    # errors
    "errors": ("Most confident errors", "最自信的错误"),
    "errors_lead": (
        "The {shown} surest of {wrong} wrong answers. Some are hard, some are mislabelled: read them before trusting the score.",
        "{wrong} 个错误回答中最有把握的 {shown} 个。有些确实难，有些是标注有误：相信分数之前请先读一读。",
    ),
    "errors_none": ("Every test row was answered rightly.", "所有测试行均判断正确。"),
    "said": ("answered", "回答"),
    "truth": ("labelled", "标注"),
    "nothing": ("no label", "无标签"),
    "was_cut": ("cut", "已截断"),
    "more_chars": ("… and {count} more characters", "……另有 {count} 个字符"),
    # data
    "data": ("The data behind it", "数据情况"),
    "data_lead": (
        "What was read, what was left out and why, and how the rest was split.",
        "读入了什么，舍弃了什么、为什么，其余如何划分。",
    ),
    "rows_read": ("Rows read", "读入行数"),
    "bad_rows": ("Unreadable", "无法读取"),
    "empty": ("Empty", "空文本"),
    "duplicates": ("Exact duplicates", "完全重复"),
    "contradictions": ("Contradicting labels", "标签矛盾"),
    "leaks": ("In two splits", "跨集合泄漏"),
    "kept": ("Kept", "保留"),
    "near_duplicates": ("Near duplicates", "近似重复"),
    "near_duplicates_are": (
        "{rows} rows in {groups} groups, each group inside one split",
        "{groups} 组共 {rows} 行，同组数据不跨集合",
    ),
    "near_duplicates_counted": ("{rows} rows in {groups} groups", "{groups} 组共 {rows} 行"),
    "only_counted": (
        "Duplicates, contradictions and leaks were only counted: the recipe asked to keep them.",
        "重复、矛盾与泄漏仅做统计：配方要求保留它们。",
    ),
    "normalize": ("Unicode form", "Unicode 规范化"),
    "normalized": ("{form}, {rows} rows changed", "{form}，改动 {rows} 行"),
    "bad_samples": ("Rows that could not be read", "无法读取的行"),
    "train": ("train", "训练"),
    "valid": ("validation", "验证"),
    "test": ("test", "测试"),
    "per_label": ("Rows of each label", "各标签行数"),
    "min": ("min", "最短"),
    "median": ("median", "中位"),
    "max": ("max", "最长"),
    "zh": ("Chinese", "中文"),
    "en": ("English", "英文"),
    "mixed": ("Chinese and English", "中英混合"),
    "other": ("other", "其他"),
    "lengths": ("Characters a text", "文本字符数"),
    "language": ("Language", "语言"),
    "imbalance": ("Commonest to rarest label", "最多与最少标签之比"),
    "content_hash": ("Content hash", "内容哈希"),
    "notes": ("Notes", "备注"),
    "contradiction_samples": ("Texts with contradicting labels", "标签矛盾的文本"),
    # reproduce
    "reproduce": ("Do it again", "复现"),
    "reproduce_lead": (
        "These commands give the same numbers on the same machine.",
        "在同一台机器上，这些命令会给出相同的数字。",
    ),
    "decisions": ("Decided for you, and why", "自动做出的决定及理由"),
    "recipe": ("The whole recipe", "完整配方"),
}
"""Key -> (English, Chinese): what any report may say."""


@cache
def every_word() -> dict[str, tuple[str, str]]:
    """Return all sentences, those of every kind among them."""
    return {**WORDS, **{key: said for kind in every_kind() for key, said in kind.PAGE.words.items()}}


def what_is(name: str, system: Evaluation) -> str:
    """Return the key of what a report's system of that name is, said after its name."""
    return of_kind("new_head_is" if system.new_head else f"{name}_is", system.labels)


def of_kind(key: str, labels: LabelSet) -> str:
    """Return the key of what is said of the labels' problem type in place of the given one, if there is one."""
    own = key + kind_of(labels.problem_type).PAGE.suffix
    return own if own in every_word() else key
