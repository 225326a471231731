# Golden values of the host's combinatorially symmetric cross-validation, by plain loops over whole returns.
#
#     Rscript overfitting.R > overfitting.csv     # base R 4.2 and nothing else
#
# Case `vignette` is the worked example of the R package pbo 1.3.5, its matrix by the vignette's own lines
# (https://cran.r-project.org/web/packages/pbo/vignettes/pbo.html). The package takes the rank over N, this and the paper
# over N + 1. Its summary prints p_bo 1, "slope" -0.0030456, ar^2 0.97, p_loss 1; that slope is the intercept of
# lm(in ~ out), which is checked before anything is written. Case `ties` has an odd number of candidates, two of them the
# same, one without a return in the first half, and blocks of unequal length.
#
# One row a combination, in the order of combn(): the best candidate's Sharpe ratio in sample, its Sharpe ratio out of
# sample, and the logit of its relative rank.

set.seed(765)
n <- 100
t <- 2400
raw <- matrix(rnorm(n * t), nrow = t, ncol = n)
m <- raw
sigma_base <- 1 / 252 ** 0.5
for (i in 1:n) {
  m[, i] <- m[, i] * sigma_base / sd(m[, i])
  m[, i] <- m[, i] - mean(m[, i])
}

sharpe <- function(x) ifelse(sd(x) > 0, mean(x) / sd(x), 0)

cscv <- function(m, s) {
  ends <- floor((0:s) * nrow(m) / s)
  apply(combn(s, s / 2), 2, function(blocks) {
    rows <- unlist(lapply(blocks, function(block) (ends[block] + 1):ends[block + 1]))
    inside <- apply(m[rows, ], 2, sharpe)
    outside <- apply(m[-rows, ], 2, sharpe)
    best <- which.max(inside)
    omega <- rank(outside)[best] / (ncol(m) + 1)
    c(inside[best], outside[best], log(omega / (1 - omega)))
  })
}

write <- function(case, selected) {
  cat(sprintf("%s,%.15g,%.15g,%.15g\n", case, selected[1, ], selected[2, ], selected[3, ]), sep = "")
}

vignette <- cscv(m - 0.03 / 252, 8)
fit <- summary(lm(vignette[1, ] ~ vignette[2, ]))
stopifnot(
  signif(fit$coefficients[1, 1], 5) == -0.0030456,
  signif(fit$adj.r.squared, 2) == 0.97,
  all(vignette[2, ] < 0),
  all(vignette[3, ] <= 0)
)

ties <- raw[1:101, c(1, 2, 3, 2, 4, 5, 6)]
ties[1:50, 7] <- 0

cat("case,in_sample,out_of_sample,logit\n")
write("vignette", vignette)
write("ties", cscv(ties, 6))
