// px
export const topBar = 40;
export const foldedDock = 30;
export const statusStrip = 22;
export const leastCanvas = 300;
