// A long form is sent only while its writer is signed in: else he would find a page to sign in, and
// his text gone. It asks first, takes the fresh token of that answer, and then sends.
for (const form of document.querySelectorAll("form[data-ask]")) {
  const said = form.querySelector("[data-signed-out]");
  let asking = false, sure = false, sent = false;
  form.addEventListener("submit", async (event) => {
    if (sure && !sent) {
      sent = true;
      return;
    }
    event.preventDefault();
    if (asking || sent) return; // a double click is one
    asking = true;
    try {
      const answer = await fetch(form.dataset.ask, {redirect: "manual", cache: "no-store"});
      said.hidden = answer.type !== "opaqueredirect";
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const token = page.querySelector("[name=csrfmiddlewaretoken]");
        if (token) form.elements.csrfmiddlewaretoken.value = token.value;
      }
    } catch { /* no answer: sending says why, and the browser keeps the page */ }
    asking = false;
    if (!said.hidden) {
      said.scrollIntoView({block: "nearest"});
      said.querySelector("a").focus();
      return;
    }
    sure = true;
    form.requestSubmit(event.submitter);
  });
  addEventListener("pageshow", () => { sure = sent = false; }); // back from the next page
}
