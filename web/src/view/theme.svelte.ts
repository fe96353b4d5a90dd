// Light, dark, or as the system has it. The choice is no secret: it is all that this page keeps in localStorage.

export type Theme = "system" | "light" | "dark";

const themes: readonly Theme[] = ["system", "light", "dark"];
const key = "theme";

class Switch {
  theme = $state<Theme>(stored());

  constructor() {
    apply(this.theme);
  }

  next(): void {
    this.theme = themes[(themes.indexOf(this.theme) + 1) % themes.length] ?? "system";
    try {
      localStorage.setItem(key, this.theme);
    } catch {
      // Where the browser keeps nothing, the choice lasts as long as the page.
    }
    apply(this.theme);
  }
}

function stored(): Theme {
  try {
    return themes.find((theme) => theme === localStorage.getItem(key)) ?? "system";
  } catch {
    return "system";
  }
}

function apply(theme: Theme): void {
  if (theme === "system") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.dataset["theme"] = theme;
}

export const themeSwitch = new Switch();
