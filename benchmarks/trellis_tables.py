"""Make the tables of the trellis codes: the file `TABLES` of vecsmith.codecs.quantizers.trellis_coding.

    python benchmarks/trellis_tables.py

Lloyd's algorithm on white Gaussian noise for every rate: code noise, replace every table entry by the mean of the
values that were coded with it, repeat. No data is involved, so the tables serve every model. The distortions are
measured on noise that the tables have not seen.
"""

import numpy as np
from safetensors.numpy import save_file

from vecsmith.codecs.quantizers.trellis_coding import RATES, STATE_BITS, STATES, TABLES, Step, viterbi

LENGTH = 64
"""Steps of a training sequence that are learned from."""
SEQUENCES, ROUNDS = 3000, 40


def train(step: Step, seed: int) -> tuple[np.ndarray, float]:
    """Return the table (v, states) of a rate and its distortion."""
    k, v = step
    rng = np.random.default_rng(seed)
    steps, weights = [step] * (STATE_BITS + LENGTH), np.ones((STATE_BITS + LENGTH) * v, np.float32)
    # the variance that an optimal code of this rate has
    table = (rng.standard_normal((v, STATES)) * np.sqrt(1 - 2 ** (-2 * k / v))).astype(np.float32)
    for number in range(ROUNDS + 1):
        Z = rng.standard_normal((SEQUENCES, len(weights))).astype(np.float32)
        # the first states are bound to the zeros before the stream
        states = viterbi(Z, steps, weights, {step: table})[:, STATE_BITS:].ravel()
        values = Z.reshape(len(Z), -1, v)[:, STATE_BITS:].reshape(-1, v)
        if number == ROUNDS:
            break
        counts = np.bincount(states, minlength=STATES)
        for row in range(v):
            sums = np.bincount(states, weights=values[:, row], minlength=STATES)
            # the old entry counts as five values, for states that are seldom used
            table[row] = (sums + 5 * table[row]) / (counts + 5)
    return table, float(((values - table[:, states].T) ** 2).mean())


def main() -> None:
    """Train, print the distortions beside their bounds, and write the tables."""
    trained = {step: min((train(step, seed) for seed in range(4)), key=lambda made: made[1]) for step in RATES}
    for (k, v), (_, distortion) in trained.items():
        print(f"{k} bits for {v} values: distortion {distortion:.4f}, bound {2 ** (-2 * k / v):.4f}")
    content = {f"{k}/{v}": table for (k, v), (table, _) in trained.items()}
    content["distortions"] = np.array([distortion for _, distortion in trained.values()])
    save_file(content, TABLES)


if __name__ == "__main__":
    main()
