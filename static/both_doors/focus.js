// After an error the focus is on the first field that is wrong, else on what asks for it. The
// admin's theme hides its page until its own script has run, and a hidden field cannot be focused.
(function () {
  "use strict";
  function focus() {
    var wrong = document.querySelector(
      "[aria-invalid=true]:not([type=hidden]):not([disabled])");
    var asks = wrong || document.querySelector("[autofocus]");
    if (wrong || document.activeElement === document.body) asks?.focus();
  }
  if (document.documentElement.hasAttribute("x-cloak")) {
    document.addEventListener("alpine:initialized", function () { requestAnimationFrame(focus); });
  } else {
    focus();
  }
})();
