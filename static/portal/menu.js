// On a narrow screen the menu is wider than the window: show the page one is on.
document.querySelector(".tabs [aria-current]")?.scrollIntoView({block: "nearest", inline: "center"});
