"use strict";

// A key that is typed in stays in this page: it is sent with the calls one tries, and kept nowhere.
SwaggerUIBundle({
  url: document.getElementById("document").dataset.document,
  dom_id: "#document",
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  persistAuthorization: false,
  validatorUrl: null,
});
