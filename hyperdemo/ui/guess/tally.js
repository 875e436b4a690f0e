// What both questions share: what is told to the server, and what it says of all answers. Runs in the
// same function as abx.js or pair.js, before them.
//
// props.value: {models: [{key, label}], question, mine, all}: how a visitor and all visitors fare with
// a question, in words.

const mine = {}; // [right ones, answers] by question, of this visitor, while the page is open
const told = {}; // the newest value, by question
let current = ""; // the question whose counts are shown

// One of two, which no other number on the page tells of.
const coin = () => crypto.getRandomValues(new Uint8Array(1))[0] & 1;
const nameOf = (key) => props.value.models.find((one) => one.key === key)?.label ?? key;

// An answer that was right or wrong; or none, to learn how it stands.
function tell(question, right = null, more = {}) {
  current = question;
  mine[question] ??= [0, 0];
  if (right !== null) mine[question] = [mine[question][0] + Number(right), mine[question][1] + 1];
  trigger("submit", { question, right, mine: mine[question], ...more });
  showTally();
}

function showTally() {
  part.mine.textContent = told[current]?.mine ?? "";
  part.all.textContent = told[current]?.all ?? "";
}

watch("value", () => {
  told[props.value.question] = props.value;
  showTally();
});
part.teacher.hidden = new URLSearchParams(location.search).get("teacher") !== "1";
part.refresh.addEventListener("click", () => tell(current));
part.reset.addEventListener("click", () => tell(current, null, { reset: true }));
