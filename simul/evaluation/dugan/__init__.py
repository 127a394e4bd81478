"""The experiment of Dugan et al. 2023 on any model: growing windows, their four policies, their scores beside ours."""
