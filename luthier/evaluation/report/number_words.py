"""The sentences that only reports on numbers say, in English and Chinese: see ``words``.

A key that ends in ``_numbers`` stands in for the key without it.
"""

# ruff: noqa: E501 - a sentence stays on one line, so that both languages can be read and searched

from __future__ import annotations

NUMBER_WORDS: dict[str, tuple[str, str]] = {
    # systems and metrics
    "baseline_is_numbers": ("TF-IDF and ridge regression", "TF-IDF + 岭回归"),
    "rmse": ("Root mean squared error", "均方根误差"),
    "mse": ("Mean squared error", "均方误差"),
    "mae": ("Mean absolute error", "平均绝对误差"),
    "r2": ("R², share of the variance explained", "决定系数 R²"),
    "pearson": ("Pearson correlation", "皮尔逊相关系数"),
    "spearman": ("Spearman correlation of ranks", "斯皮尔曼等级相关系数"),
    "qwk": ("Quadratic weighted kappa of grades", "等级的二次加权 Kappa"),
    "accuracy_numbers": ("Right grade", "等级判断正确率"),
    # summary
    "hero_numbers": ("Off by {share} on {rows} test rows (root mean squared error)", "在 {rows} 行测试数据上，均方根误差为 {share}"),
    "hero_sure_numbers": (
        "{confidence} interval {low} to {high}, in the unit of the data. This is the {system}, asked through the same code that serves it.",
        "{confidence} 置信区间 {low} 至 {high}，单位与数据相同。评估对象为{system}，与线上服务使用同一套预测代码。",
    ),
    "also_f1_numbers": ("Pearson correlation {value} [{low}, {high}]", "皮尔逊相关系数 {value} [{low}, {high}]"),
    "points_numbers": ("error {value}", "误差 {value}"),
    "by_error": ("error {value}", "误差 {value}"),
    "verdict_better_numbers": (
        "A real gain: the {confidence} interval of the error, {low} to {high}, lies below zero.",
        "提升可信：误差变化的 {confidence} 置信区间为 {low} 至 {high}，整体小于零。",
    ),
    "verdict_worse_numbers": (
        "Worse: the {confidence} interval of the error, {low} to {high}, lies above zero. Use the other one.",
        "变差：误差变化的 {confidence} 置信区间为 {low} 至 {high}，整体大于零，应使用对方。",
    ),
    "verdict_no significant difference_numbers": (
        "Could be chance: the {confidence} interval of the error, {low} to {high}, holds zero. These rows cannot tell the two apart.",
        "可能只是偶然：误差变化的 {confidence} 置信区间为 {low} 至 {high}，包含零。凭这些数据无法区分二者。",
    ),
    "set_aside_numbers": (
        "{count} rows carried the same text with different numbers and became one row a text, with their mean.",
        "有 {count} 行文本相同而数值不同，已按文本合并，取其平均值。",
    ),
    # scores
    "scores_lead_numbers": (
        "Every system answered the same test rows. Brackets hold the {confidence} interval from {resamples} bootstrap resamples of the rows.",
        "所有系统回答同一批测试数据。方括号内为对测试行做 {resamples} 次自助重采样得到的 {confidence} 置信区间。",
    ),
    "scores_lead_one_numbers": (
        "Brackets hold the {confidence} interval from {resamples} bootstrap resamples of the rows.",
        "方括号内为对测试行做 {resamples} 次自助重采样得到的 {confidence} 置信区间。",
    ),
    "macro_note_numbers": (
        "Errors are in the unit of the data (the mean squared error in its square), less is better. Of correlations, R² and kappa 1 is best and 0 what a constant answer gets.",
        "误差的单位与数据相同（均方误差为其平方），越小越好。相关系数、R² 与 Kappa 以 1 为最佳，恒定回答得 0。",
    ),
    # scatter
    "scatter": ("Predicted against true", "预测值与真实值"),
    "scatter_lead": (
        "A dot for each test row ({shown} of {rows} drawn); on the line the answer is exact, above it too high.",
        "每个点为一行测试数据（{rows} 行中画出 {shown} 行）；线上为完全准确，线上方为偏高。",
    ),
    "true_value": ("true", "真实值"),
    "given_value": ("predicted", "预测值"),
    # errors
    "errors_numbers": ("Largest errors", "最大的误差"),
    "errors_lead_numbers": (
        "The {shown} answers farthest from the truth. Some are hard, some are mislabelled: read them before trusting the score.",
        "与真实值相差最大的 {shown} 个回答。有些确实难，有些是标注有误：相信分数之前请先读一读。",
    ),
    # data
    "values": ("The numbers of each split", "各集合的数值"),
    "value_min": ("min", "最小值"),
    "value_mean": ("mean", "平均值"),
    "value_max": ("max", "最大值"),
    "value_deviation": ("standard deviation", "标准差"),
}
"""Key -> (English, Chinese)."""
