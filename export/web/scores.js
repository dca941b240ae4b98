// The list beside the picture: a row for each class, with its share as a number and as a bar.

// Takes rows {label, share, color}, shares in 0..1; a row without a color has no patch of it.
export function showScores(rows) {
  document.getElementById("scores").replaceChildren(
    ...rows.map(({label, share, color}) => {
      const item = document.createElement("li");
      const name = document.createElement("span");
      const score = document.createElement("span");
      name.textContent = label;
      score.className = "score";
      score.textContent = `${(100 * share).toFixed(1)} %`;
      item.style.setProperty("--share", `${100 * share}%`);
      item.append(name, score);
      if (color) {
        const patch = document.createElement("span");
        patch.className = "patch";
        patch.style.background = `rgb(${color.join(" ")})`;
        item.prepend(patch);
      }
      return item;
    }),
  );
}
