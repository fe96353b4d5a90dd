// Fragments are made element by element: innerHTML is never used, so the page needs no Trusted Types policy for it.
const config = { compilerOptions: { runes: true, fragments: "tree" } };

// The tools look for a default export here; our own modules have none.
export default config;
