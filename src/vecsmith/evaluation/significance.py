"""Significance tests of the difference between two runs, paired over queries."""

from collections.abc import Sequence

import numpy as np

from vecsmith.array_types import Doubles


def paired_p_value(a: Doubles, b: Doubles) -> float:
    """Return the two-sided p-value of Student's paired t-test.

    Parameters
    ----------
    a, b : ndarray of shape (n_queries,)
        Values of a measure for two runs on the same queries, in the same order.

    Returns
    -------
    float
        The p-value; 1.0 if the runs do not differ on any query, or there is only one query.

    References
    ----------
    Smucker, Allan and Carterette 2007, A comparison of statistical significance tests for information retrieval
    evaluation, CIKM: the t-test and the randomization test agree.
    """
    # imported here, because the import takes most of the start-up time of commands that need no test
    from scipy.stats import ttest_rel

    if len(a) < 2 or np.array_equal(a, b):
        return 1.0
    return float(ttest_rel(a, b).pvalue)


def confidence_half_width(values: Doubles, level: float = 0.95) -> float:
    """Return half of the width of Student's confidence interval of a mean over queries.

    Parameters
    ----------
    values : ndarray of shape (n_queries,)
        Values of a measure, or differences of a measure between two runs.
    level : float
        Confidence level.

    Returns
    -------
    float
        t · s / √n; NaN for fewer than two queries.
    """
    from scipy.stats import t

    if len(values) < 2:
        return float("nan")
    return float(t.ppf((1 + level) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def stratified_p_value(differences: Sequence[Doubles]) -> float:
    """Return the two-sided p-value of the hypothesis that the mean difference over several tasks is zero.

    All tasks have the same weight, whatever their number of queries: z = Σ_t mean_t / √(Σ_t var_t / n_t).

    Parameters
    ----------
    differences : sequence of ndarray of shape (n_queries,)
        For each task, the difference of a measure between two runs for each query.

    Returns
    -------
    float
        The p-value; 1.0 if the runs do not differ on any query.

    References
    ----------
    Cochran 1977, Sampling Techniques, 5.4: the variance of a mean over strata.
    """
    from scipy.stats import norm

    variance = sum(task.var(ddof=1) / len(task) for task in differences)
    if not variance:
        return 1.0
    return float(2 * norm.sf(abs(sum(task.mean() for task in differences)) / np.sqrt(variance)))
