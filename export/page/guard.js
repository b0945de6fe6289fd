// Runs before everything else, in old browsers too: says what keeps the page from working.
(function () {
  function tell(text) {
    function show() {
      var box = document.getElementById("problem");
      if (!box.hidden) return; // the first message is the cause
      box.textContent = text;
      box.hidden = false;
      document.getElementById("app").hidden = true;
    }
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", show);
    else show();
  }
  window.tellProblem = tell;

  if (location.protocol === "file:") {
    tell("Browsers run this page from a web server only. Serve the folder, for example with: tfvae demo FOLDER");
  } else if (typeof WebAssembly !== "object") {
    tell("This browser has no WebAssembly, which runs the model. Use a current browser, or allow WebAssembly in its settings.");
  } else if (!HTMLScriptElement.supports || !HTMLScriptElement.supports("importmap")) {
    tell("This browser is too old for this page, which needs import maps. Use one from 2023 or later.");
  }
  window.addEventListener(
    "error",
    function (event) {
      var element = event.target;
      if (element && element.tagName === "SCRIPT") {
        tell("A file of this page could not be loaded: " + element.src + ". Check the connection, or copy the whole folder to the server again.");
      }
    },
    true,
  );
})();
