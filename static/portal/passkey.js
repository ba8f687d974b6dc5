// A passkey: ask the browser for it, put its answer into the form beside the button, send the form.
(function () {
  "use strict";
  function bytes(text) {
    var plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, function (char) { return char.charCodeAt(0); });
  }
  function text(buffer) {
    var plain = String.fromCharCode.apply(null, new Uint8Array(buffer));
    return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }
  function asked(options) {
    var wanted = options.publicKey;
    wanted.challenge = bytes(wanted.challenge);
    if (wanted.user) { wanted.user.id = bytes(wanted.user.id); }
    ["excludeCredentials", "allowCredentials"].forEach(function (name) {
      (wanted[name] || []).forEach(function (key) { key.id = bytes(key.id); });
    });
    return { publicKey: wanted };
  }
  function answered(key) {
    var given = { clientDataJSON: text(key.response.clientDataJSON) };
    ["attestationObject", "authenticatorData", "signature", "userHandle"].forEach(function (name) {
      if (key.response[name]) { given[name] = text(key.response[name]); }
    });
    return {
      id: key.id, rawId: text(key.rawId), type: key.type, response: given,
      authenticatorAttachment: key.authenticatorAttachment || undefined,
      clientExtensionResults: key.getClientExtensionResults()
    };
  }
  document.querySelectorAll("[data-passkey]").forEach(function (button) {
    var form = button.closest("form"), told = form.querySelector("[role=alert][hidden]");
    button.addEventListener("click", function () {
      var options = JSON.parse(document.getElementById(button.dataset.options).textContent);
      Promise.resolve().then(function () {
        return navigator.credentials[button.dataset.passkey](asked(options));
      }).then(function (key) {
        form.elements.credential.value = JSON.stringify(answered(key));
        form.submit();
      }).catch(function () {
        told.textContent = button.dataset.refused;
        told.hidden = false;
      });
    });
  });
})();
