"""Networks: the Efficient U-Net of appendix B of arXiv 2205.11487."""
