// Show a tab of the page by its name.
function showTab(name) {
  [...document.querySelectorAll("button[role=tab]")].find((tab) => tab.textContent.trim() === name)?.click();
}
