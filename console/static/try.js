// Shows the OpenAPI document in Swagger UI, with the API key of the local AWS filled in.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("swagger-ui");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", follow);
  follow();
  const ui = SwaggerUIBundle({
    url: "/examples/api/openapi.json",
    domNode: place,
    validatorUrl: null, // Swagger UI would otherwise send the document to a server on the internet
    supportedSubmitMethods: place.dataset.canTry === "true" ? ["get", "post", "put", "patch", "delete"] : [],
    plugins: [{ components: { ServersContainer: () => null } }], // there is only one server
    onComplete: () => { if (place.dataset.key) ui.preauthorizeApiKey("ApiKey", place.dataset.key); },
  });
});
