"""The sentences that only reports on language models say, in English and Chinese: see ``words``."""

# ruff: noqa: E501 - a sentence stays on one line, so that both languages can be read and searched

from __future__ import annotations

_SHARED: dict[str, tuple[str, str]] = {
    "baseline_is": ("how common each token is in the training documents", "各词元在训练文档中的出现频率"),
    "accuracy": ("Tokens told rightly at first guess", "首选词元正确率"),
    "hero": ("Perplexity {share}{interval} on {rows} test documents", "在 {rows} 篇测试文档上，困惑度为 {share}{interval}"),
    "hero_sure": (
        "{confidence} interval {low} to {high}; less is better. This is the {system}, asked through the same code that serves it.",
        "{confidence} 置信区间 {low} 至 {high}，越低越好。评估对象为{system}，与线上服务使用同一套预测代码。",
    ),
    "also_f1": ("tokens told rightly {value} points [{low}, {high}]", "首选词元正确率 {value} 个百分点 [{low}, {high}]"),
    "points": ("perplexity {value}", "困惑度 {value}"),
    "fact_tokens": ("tokens asked for", "被评估的词元"),
    "verdict_better": (
        "A real gain: the {confidence} interval of the perplexity's change, {low} to {high}, lies below zero.",
        "提升可信：困惑度变化的 {confidence} 置信区间为 {low} 至 {high}，整体小于零。",
    ),
    "verdict_worse": (
        "Worse: the {confidence} interval of the perplexity's change, {low} to {high}, lies above zero. Use the other one.",
        "变差：困惑度变化的 {confidence} 置信区间为 {low} 至 {high}，整体大于零，应使用对方。",
    ),
    "verdict_no significant difference": (
        "Could be chance: the {confidence} interval of the perplexity's change, {low} to {high}, holds zero. These documents cannot tell the two apart.",
        "可能只是偶然：困惑度变化的 {confidence} 置信区间为 {low} 至 {high}，包含零。凭这些文档无法区分二者。",
    ),
    "no_baseline": (
        "No baseline was scored, so nothing here says how far counting tokens goes.",
        "未评估基线，因此无法判断仅统计词元频率能达到什么水平。",
    ),
    "errors": ("The most surprising documents", "最出乎模型意料的文档"),
    "errors_lead": (
        "The {shown} documents with the highest perplexity. Some are in another language, damaged, or no text at all: they may not belong to the data.",
        "困惑度最高的 {shown} 篇文档。其中有些可能是其他语言、已损坏或并非正文：它们也许不该出现在数据中。",
    ),
}


def _of(kind: str, own: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    return {f"{key}_{kind}": said for key, said in {**_SHARED, **own}.items()}


MASKED_WORDS = _of("masked", {
    "new_head_is": ("the same model, its new head still untrained", "同一模型，新的预测头尚未训练"),
    "perplexity": ("Perplexity of hidden tokens", "被遮盖词元的困惑度"),
    "macro_note": (
        "Of each document the same tokens are hidden from every system, and told from those around them. Perplexity is e to the mean negative log probability of a hidden token: how many equally likely tokens the model hesitates between. It compares only models with the same tokenizer. Brackets hold the {confidence} interval.",
        "每篇文档对所有系统遮盖相同的词元，由模型根据上下文推断。困惑度为被遮盖词元平均负对数概率的指数，即模型在多少个等可能的词元之间犹豫；仅可在使用同一分词器的模型之间比较。方括号内为 {confidence} 置信区间。",
    ),
})
CAUSAL_WORDS = _of("causal", {
    "perplexity": ("Perplexity of a token", "词元困惑度"),
    "bits_per_character": ("Bits per character", "每字符比特数"),
    "bits_per_byte": ("Bits per byte of UTF-8", "每 UTF-8 字节比特数"),
    "macro_note": (
        "Each token of a document is told from those before it. Perplexity is e to the mean negative log probability of a token, and compares only models with the same tokenizer; bits per character and byte compare any. Brackets hold the {confidence} interval.",
        "文档的每个词元由模型根据其前文推断。困惑度为词元平均负对数概率的指数，仅可在使用同一分词器的模型之间比较；每字符与每字节比特数可用于比较任意模型。方括号内为 {confidence} 置信区间。",
    ),
})
"""Key -> (English, Chinese)."""
