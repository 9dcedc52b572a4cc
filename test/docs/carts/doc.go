// Package carts is the grain that the pages of docs/ call in their examples: a shopping cart.
package carts
