// A file beyond the limit is named before it is sent; the server would cut the request.
for (const input of document.querySelectorAll("input[type=file][data-most]")) {
  input.addEventListener("change", () => {
    const large = [...input.files].some((file) => file.size > Number(input.dataset.most));
    input.setCustomValidity(large ? input.dataset.tooLarge : "");
    if (large) {
      input.reportValidity();
      input.value = "";
    }
  });
}
