"""Whether two runs differ by more than chance over the queries."""

import numpy as np
from numpy.typing import NDArray


def paired_p_value(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the two-sided p-value of Student's paired t-test.

    Parameters
    ----------
    a, b : ndarray of shape (n_queries,)
        A measure of two runs on the same queries, in the same order.

    Returns
    -------
    float
        1.0 where the runs do not differ on any query, or there is only one.

    References
    ----------
    Smucker, Allan and Carterette 2007, A comparison of statistical significance tests for information retrieval
    evaluation, CIKM: the t-test and the randomisation test agree.
    """
    # imported late: it takes most of the start-up time of a command that needs no test
    from scipy.stats import ttest_rel

    if len(a) < 2 or np.array_equal(a, b):
        return 1.0
    return float(ttest_rel(a, b).pvalue)
