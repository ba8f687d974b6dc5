// The theme writes the name of a file that was chosen into the nearest text field. That is right
// only for its own field, which shows it and sends nothing; any other would lose what stood in it.
document.addEventListener("DOMContentLoaded", () => {
  for (const input of document.querySelectorAll("input[type=file]")) {
    const near = input.parentNode.parentNode.parentNode.querySelector("input[type=text]");
    if (!near || near.name) input.hasChangeListener = true; // as the theme marks what it has seen
  }
});
