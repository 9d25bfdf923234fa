"""The sentences that only reports on question answering say, in English and Chinese: see ``words``.

A key that ends in ``_answers`` stands in for the key without it.
"""

# ruff: noqa: E501 - a sentence stays on one line, so that both languages can be read and searched

from __future__ import annotations

ANSWER_WORDS: dict[str, tuple[str, str]] = {
    # systems and metrics
    "baseline_is_answers": ("the sentence that shares most words with the question", "与问题共有词最多的句子"),
    "new_head_is_answers": ("the same model, its new head still untrained", "同一模型，问答头尚未训练"),
    "f1_answers": ("Answer F1", "答案 F1"),
    "exact_match": ("Exact match", "完全匹配"),
    "f1_answerable": ("Answer F1, questions with an answer", "答案 F1（有答案的问题）"),
    "exact_match_answerable": ("Exact match, questions with an answer", "完全匹配（有答案的问题）"),
    "f1_unanswerable": ("Rightly left without an answer", "正确判为无答案"),
    # summary
    "hero_answers": ("Answer F1 {share}{interval} on {rows} test questions", "在 {rows} 个测试问题上，答案 F1 为 {share}{interval}"),
    "hero_sure_answers": (
        "Brackets hold the {confidence} interval, {low} to {high}. Each question counts with its best right answer. This is the {system}, asked through the same code that serves it.",
        "方括号内为 {confidence} 置信区间（{low} 至 {high}）。每个问题取与各标准答案比较的最高分。评估对象为{system}，与线上服务使用同一套预测代码。",
    ),
    "also_f1_answers": ("Exact match {value} points [{low}, {high}]", "完全匹配 {value} 个百分点 [{low}, {high}]"),
    "fact_rows_answers": ("test questions", "测试问题数"),
    "fact_unanswerable": ("without an answer", "无答案的问题"),
    "fact_wrong_answers": ("not matched exactly", "未完全匹配"),
    "no_baseline_answers": (
        "No baseline was scored, so nothing here says whether the best matching sentence would do.",
        "未评估基线，因此无法判断返回最匹配的句子是否已经够用。",
    ),
    # scores
    "macro_note_answers": (
        "Means over questions, as SQuAD's script counts them for English (words, without articles and punctuation) and CMRC's for Chinese (characters). Brackets hold the {confidence} interval; one of no width means that these rows hold no error, not that none can come.",
        "均为各问题得分的平均：英文按 SQuAD 脚本计（按词，去掉冠词与标点），中文按 CMRC 脚本计（按字）。方括号内为 {confidence} 置信区间；区间宽度为零仅表示这些行中没有出错，并不代表不会出错。",
    ),
    # answered
    "answered": ("Answered or not", "有答与无答"),
    "answered_lead": (
        "Questions that their context answers, and those that it does not: how many got an answer, and how good it was.",
        "上下文中有答案的问题与没有答案的问题：各有多少得到了回答，回答得如何。",
    ),
    "questions": ("Questions", "问题数"),
    "with_answer": ("with an answer", "有答案"),
    "without_answer": ("without an answer", "无答案"),
    "got_answer": ("Got an answer", "得到回答"),
    # errors
    "errors_lead_answers": (
        "The {shown} surest of {wrong} answers that match no right one exactly. Some are as good, some questions are mislabelled: read them before trusting the score.",
        "{wrong} 个回答与标准答案不完全一致，这里列出最有把握的 {shown} 个。有些其实同样正确，有些是标注有误：相信分数之前请先读一读。",
    ),
    "no_answer": ("no answer", "无答案"),
    # data
    "unanswerable": ("Questions without an answer", "无答案的问题"),
}
"""Key -> (English, Chinese)."""
