// The question before a recipe that was opened overwrites settings that nothing keeps. It stops nothing else.
const question = element.querySelector(".question");
let before = null; // what had the focus

function ask() {
  if (!props.value || !props.value.text) return;
  question.querySelector(".question-text").textContent = props.value.text;
  before = document.activeElement;
  question.hidden = false;
  question.querySelector(".question-open").focus();
}

function close() {
  question.hidden = true;
  const back = before && before.isConnected && before !== document.body ? before : document.querySelector("#field-prompt textarea");
  back.focus();
}

question.querySelector(".question-open").addEventListener("click", () => {
  trigger("submit");
  close();
});
question.querySelector(".question-keep").addEventListener("click", close);
question.addEventListener("keydown", (event) => event.key === "Escape" && close());
window.addEventListener("imagen:begin", () => question.hidden || (question.hidden = true));
watch("value", ask);
