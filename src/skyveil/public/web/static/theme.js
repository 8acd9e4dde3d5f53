// Theme and menu: on every page, before the rest.
const root = document.documentElement;

export function chosenTheme() {
  return localStorage.getItem("skyveil-theme") ?? "";
}

export function useTheme(theme) {
  if (theme) {
    root.dataset.theme = theme;
    localStorage.setItem("skyveil-theme", theme);
  } else {
    delete root.dataset.theme;
    localStorage.removeItem("skyveil-theme");
  }
}

useTheme(chosenTheme());

const burger = document.getElementById("burger");
burger?.addEventListener("click", () => {
  const open = burger.closest(".bar").classList.toggle("open");
  burger.setAttribute("aria-expanded", String(open));
});
