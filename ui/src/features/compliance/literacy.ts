// What this browser knows of the literacy page: nothing, that it was offered, or that it was read.

export const LITERACY_STORED = "eclair.literacy";
export const OFFERED = "offered";
export const READ = "read";
