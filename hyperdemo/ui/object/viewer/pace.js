// How fine the view is drawn while it moves. A part of the script of viewer.js.

const MIN_SHARE = 0.2; // of the pixels, each way
const SLOW_MS = 21, FAST_MS = 18; // between frames; 16.7 are wanted

// The share of the pixels, each way, that keeps frames 16.7 ms apart.
const pace = { share: 1, gaps: [], limit: SLOW_MS, before: null, patience: 3, calm: 0, typical: 0 };

function keepPace(gap) {
  pace.gaps.push(gap);
  const seen = pace.gaps.reduce((sum, one) => sum + one, 0);
  if (pace.gaps.length < 12 && !(pace.gaps.length >= 3 && seen > 300)) return;
  const typical = (pace.typical = pace.gaps.sort((a, b) => a - b)[pace.gaps.length >> 1]);
  pace.gaps = [];
  if (typical <= pace.limit) {
    pace.before = null;
    if (typical <= SLOW_MS) pace.limit = SLOW_MS;
    // Finer again, after ever longer waits, for each try may cost a few slow frames.
    if (typical > FAST_MS || pace.share === 1 || ++pace.calm < pace.patience) return;
    pace.share = Math.min(1, 1.25 * pace.share);
    pace.calm = 0;
    pace.patience *= 2;
  } else if (pace.before && typical > 0.9 * pace.before.typical) {
    // Fewer pixels were no faster: something else sets the pace, such as a phone that saves power.
    pace.share = pace.before.share;
    pace.limit = 1.2 * typical;
    pace.before = null;
  } else if (pace.share > MIN_SHARE) {
    pace.before = { typical, share: pace.share };
    pace.share = Math.max(MIN_SHARE, pace.share * Math.min(0.85, Math.sqrt(16 / typical)));
    pace.calm = 0;
  }
}
